import type { LivePod } from '#core/docker/world.ts';

/** What a Job remembers of its run, in its record: its pods may be gone. Times are milliseconds since the epoch. */
export interface JobState {
  /** Which run: another template is another one. */
  run: string;
  /** Absent while it is suspended. */
  startedAt?: number;
  /** Places that had a pod that succeeded. */
  succeeded: number[];
  /** Of each place with failures: how many of its pods failed. */
  failed: Record<string, number>;
  /** Failures since the last success, and when the last was seen. */
  backOff?: { failures: number; at: number };
  finished?: JobEnd;
}

export interface JobEnd {
  at: number;
  /** Absent where it has completed. */
  reason?: 'BackoffLimitExceeded' | 'DeadlineExceeded';
  message?: string;
}

/** What a pod is for: the place that it fills, and the how many-eth pod it is there. */
export interface JobPlace {
  place: number;
  attempt: number;
}

export function jobPodName(name: string, run: string, { place, attempt }: JobPlace): string {
  return `${name}-${run}-${place}${attempt === 0 ? '' : `-${attempt}`}`;
}

export function placeOf(name: string, run: string, pod: string): JobPlace | undefined {
  const prefix = `${name}-${run}-`;
  if (!pod.startsWith(prefix)) return undefined;
  const match = /^(\d+)(?:-(\d+))?$/.exec(pod.slice(prefix.length));
  return match === null ? undefined : { place: Number(match[1]), attempt: Number(match[2] ?? 0) };
}

/** Whether what became of the pod is in the state already. */
export function isCounted({ succeeded, failed }: JobState, { place, attempt }: JobPlace): boolean {
  return succeeded.includes(place) || attempt < (failed[place] ?? 0);
}

export function failures({ failed }: JobState): number {
  return Object.values(failed).reduce((sum, each) => sum + each, 0);
}

/** As Kubernetes has it: ten seconds after the first failure, twice as long after each other, six minutes at most. */
const FIRST_BACK_OFF_MS = 10_000;
const LONGEST_BACK_OFF_MS = 360_000;

/** When the next pod may be made (ms). */
export function retryAt({ backOff }: JobState): number {
  if (backOff === undefined) return 0;
  const wait = FIRST_BACK_OFF_MS * 2 ** Math.min(backOff.failures - 1, 10);
  return backOff.at + Math.min(wait, LONGEST_BACK_OFF_MS);
}

/** What containers of pods that go on were started again. */
export function restartsOf(pods: readonly LivePod[]): number {
  return pods
    .flatMap(({ containers }) => Object.values(containers))
    .reduce((sum, { restarts }) => sum + restarts, 0);
}
