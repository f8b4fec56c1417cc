import type { JobRules } from '#core/docker/workload.ts';
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
  /** And how many of these do not count. */
  ignored?: Record<string, number>;
  /** Places that are given up at their first failure. */
  failedIndexes?: number[];
  /** Where each place has a limit of its own: when its last failure was seen. */
  failedAt?: Record<string, number>;
  /** Failures since the last success, and when the last was seen. */
  backOff?: { failures: number; at: number };
  finished?: JobEnd;
}

export interface JobEnd {
  at: number;
  /** Absent where it has completed. */
  reason?:
    | 'BackoffLimitExceeded'
    | 'DeadlineExceeded'
    | 'FailedIndexes'
    | 'MaxFailedIndexesExceeded'
    | 'PodFailurePolicy';
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

/** Those that count. */
export function failures(state: JobState): number {
  return Object.keys(state.failed).reduce((sum, place) => sum + failuresAt(state, place), 0);
}

function failuresAt({ failed, ignored }: JobState, place: number | string): number {
  return (failed[place] ?? 0) - (ignored?.[place] ?? 0);
}

/** Places that nothing is tried at any more, of a Job that has a limit for each. */
export function failedPlaces(
  state: JobState,
  { backoffLimitPerIndex: limit = Infinity }: Pick<JobRules, 'backoffLimitPerIndex'>,
): number[] {
  const over = Object.keys(state.failed).filter((place) => failuresAt(state, place) > limit);
  return [...new Set([...(state.failedIndexes ?? []), ...over.map(Number)])];
}

/** As Kubernetes has it: ten seconds after the first failure, twice as long after each other, six minutes at most. */
const FIRST_BACK_OFF_MS = 10_000;
const LONGEST_BACK_OFF_MS = 360_000;

/** When the next pod may be made at that place (ms). */
export function retryAt({ backOff, failed, failedAt }: JobState, place: number): number {
  if (failedAt !== undefined) return afterFailures(failed[place] ?? 0, failedAt[place] ?? 0);
  return backOff === undefined ? 0 : afterFailures(backOff.failures, backOff.at);
}

function afterFailures(count: number, at: number): number {
  if (count === 0) return 0;
  const wait = FIRST_BACK_OFF_MS * 2 ** Math.min(count - 1, 10);
  return at + Math.min(wait, LONGEST_BACK_OFF_MS);
}

/** What containers of pods that go on were started again. */
export function restartsOf(pods: readonly LivePod[]): number {
  return pods
    .flatMap(({ containers }) => Object.values(containers))
    .reduce((sum, { restarts }) => sum + restarts, 0);
}
