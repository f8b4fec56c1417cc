import { isEvicted } from '#core/docker/eviction.ts';
import { indexed } from '#core/docker/job-index.ts';
import {
  failedPlaces,
  failures,
  isCounted,
  jobPodName,
  placeOf,
  restartsOf,
  retryAt,
} from '#core/docker/job-state.ts';
import type { JobEnd, JobPlace, JobState } from '#core/docker/job-state.ts';
import { isSuccess, verdictOf } from '#core/docker/job-policies.ts';
import type { FailureVerdict } from '#core/docker/job-policies.ts';
import { turnOf } from '#core/docker/init.ts';
import { careFor, earliest, isGivenUp } from '#core/docker/keep-pods.ts';
import type { Kept, KeptPods } from '#core/docker/keep-pods.ts';
import { endOf } from '#core/docker/pod-phase.ts';
import { keeperOf, podSpec, templateHash } from '#core/docker/pod-spec.ts';
import { pullSecretWarning } from '#core/docker/pull-secrets.ts';
import { unreadyReason } from '#core/docker/readiness.ts';
import type { LivePod, PodSpec, Step } from '#core/docker/world.ts';
import type { JobRules, Workload } from '#core/docker/workload.ts';

const SECOND_MS = 1_000;

/** A pod of the run that goes on, and what it is for. */
interface JobPod extends JobPlace {
  pod: LivePod;
  spec: PodSpec;
}

interface Run {
  workload: Workload;
  job: JobRules;
  pods: JobPod[];
  now: number;
}

/**
 * What a Job needs next. Its state is recorded before what follows from it is done: so what has ended is never begun
 * again, whoever removes its pods. A run of another template begins once the pods of the one before are gone.
 */
export function keepJob(kept: Kept, job: JobRules, recorded: JobState | undefined): KeptPods {
  const { workload, owner, workloads, claims, now } = kept;
  const { name } = workload.metadata;
  const key = keeperOf(workload);
  const hash = templateHash(workload);
  const own = kept.pods.filter((pod) => pod.keeper === key && pod.owner === owner);
  const alive = own.filter(({ deletingSince }) => deletingSince === undefined);
  function specOf(place: JobPlace): PodSpec {
    const pod = jobPodName(name, hash, place);
    const made = job.indexed ? indexed(workload, place.place) : workload;
    // Its index does not make it another run's.
    return { ...podSpec(made, pod, owner, workloads), templateHash: hash };
  }
  const pods = alive.flatMap((pod): JobPod[] => {
    const place = pod.templateHash === hash ? placeOf(name, hash, pod.name) : undefined;
    return place === undefined ? [] : [{ ...place, pod, spec: specOf(place) }];
  });
  const run = { workload, job, pods, now };
  const state = nextState(run, begun(recorded, hash, job, now));
  const active = pods.filter((each) => !isCounted(state, each));
  const leaving = leavingOf(run, state, active);
  const gone = new Set(leaving.map((pod) => pod.name));
  const old = alive.filter((pod) => !pods.some((each) => each.pod === pod));
  const care = pods
    .filter(({ pod }) => !gone.has(pod.name))
    // What has ended may have lost its containers: it is not begun again.
    .filter((each) => active.includes(each) || endOf(each.pod, each.spec, now) !== undefined)
    .map(({ pod, spec }) => careFor(pod, spec, now));
  const isFree = own.every((pod) => pod.templateHash === hash);
  const taken = new Set(own.map((pod) => pod.name));
  const going = own.filter(({ deletingSince }) => deletingSince !== undefined);
  const { places, waitsUntil } = isFree
    ? placesToFill(run, state, active.length - leaving.length, [...going, ...leaving])
    : { places: [], waitsUntil: undefined };
  const asked = places
    .map(specOf)
    .filter((pod) => !taken.has(pod.name))
    .map((pod) => ({ pod, pending: claims.claim(pod, pod.hostPorts) }));
  const create = asked
    .filter(({ pending }) => pending === undefined)
    .map(({ pod }): Step => ({ kind: 'createPod', pod, run: turnOf(pod).run }));
  const pending = asked.find((each) => each.pending !== undefined)?.pending;
  const warning = pullSecretWarning(workload, workloads);
  const removed = [...old, ...leaving];
  const failure = failureOf(run, state, active);
  return {
    key,
    pods: alive,
    specs: new Map(pods.map(({ pod, spec }) => [pod.name, spec])),
    steps: [...care.flatMap(({ steps }) => steps), ...create],
    leaving: removed,
    why: [
      ...care.flatMap(({ why }) => why),
      ...create.map((step) => `create pod ${step.kind === 'createPod' ? step.pod.name : ''}`),
      ...removed.map((pod) => `remove pod ${pod.name}`),
    ],
    complete: state.finished === undefined ? job.suspend : state.finished.reason === undefined,
    job: state,
    summary: summaryOf(run, state, active.length - leaving.length),
    ...(pending === undefined ? {} : { pending }),
    ...(warning === undefined ? {} : { warning }),
    ...(failure === undefined ? {} : { failure: [failure, warning ?? []].flat().join('; ') }),
    ...earliest([waitsUntil, wakeOf(run, state), ...care.map(({ wakeAt }) => wakeAt)]),
  };
}

function begun(
  recorded: JobState | undefined,
  run: string,
  { suspend }: JobRules,
  now: number,
): JobState {
  const state = recorded?.run === run ? recorded : { run, succeeded: [], failed: {} };
  if (state.finished !== undefined) return state;
  const { startedAt, ...rest } = state;
  return suspend ? rest : { ...rest, startedAt: startedAt ?? now };
}

/** With what became of its pods since. */
function nextState(run: Run, before: JobState): JobState {
  const { pods, now } = run;
  if (before.finished !== undefined) return before;
  let state = before;
  let message = '';
  let hopeless: string | undefined;
  for (const each of pods.toSorted((one, other) => one.place - other.place)) {
    if (isCounted(state, each)) continue;
    const end = endOf(each.pod, each.spec, now);
    if (end?.phase === 'Succeeded') state = withSuccess(state, each);
    else if (end !== undefined || isEvicted(each.pod)) {
      const verdict = verdictOf(run.job.failureRules, each.pod);
      state = withFailure(state, each, { ...verdict, at: now, perIndex: isPerIndex(run.job) });
      if (verdict.action === 'Ignore') continue;
      if (verdict.action === 'FailJob') hopeless ??= verdict.message;
      const why = each.pod.evicted ?? end?.reason;
      message = why === undefined ? unreadyReason(each.pod, now) : `pod ${each.pod.name}: ${why}`;
    }
  }
  const finished: JobEnd | undefined =
    hopeless === undefined
      ? endOfJob(run, state, message)
      : { at: now, reason: 'PodFailurePolicy', message: hopeless };
  return finished === undefined ? state : { ...state, finished };
}

function withSuccess({ backOff: _before, ...state }: JobState, { place }: JobPlace): JobState {
  return { ...state, succeeded: [...state.succeeded, place].toSorted((a, b) => a - b) };
}

function isPerIndex({ backoffLimitPerIndex }: JobRules): boolean {
  return backoffLimitPerIndex !== undefined;
}

function withFailure(
  state: JobState,
  { place, attempt }: JobPlace,
  { action, at, perIndex }: { action: FailureVerdict['action']; at: number; perIndex: boolean },
): JobState {
  const { ignored, failedIndexes = [], failedAt } = state;
  return {
    ...state,
    failed: { ...state.failed, [place]: attempt + 1 },
    backOff: { failures: (state.backOff?.failures ?? 0) + 1, at },
    ...(action === 'Ignore'
      ? { ignored: { ...ignored, [place]: (ignored?.[place] ?? 0) + 1 } }
      : {}),
    ...(action === 'FailIndex' ? { failedIndexes: [...failedIndexes, place] } : {}),
    ...(perIndex ? { failedAt: { ...failedAt, [place]: at } } : {}),
  };
}

function endOfJob(
  { workload, job, pods, now }: Run,
  state: JobState,
  said: string,
): JobEnd | undefined {
  if (state.succeeded.length >= job.completions && !job.suspend) return { at: now };
  const active = pods.filter((each) => !isCounted(state, each)).map(({ pod }) => pod);
  const restarts =
    workload.spec.template.spec.restartPolicy === 'OnFailure' ? restartsOf(active) : 0;
  const isOverLimit =
    failures(state) > job.backoffLimit || restarts >= Math.max(1, job.backoffLimit);
  if (isOverLimit) {
    const crashed = active.find((pod) => restartsOf([pod]) > 0);
    const message = said === '' && crashed !== undefined ? unreadyReason(crashed, now) : said;
    return { at: now, reason: 'BackoffLimitExceeded', message };
  }
  const given = failedPlaces(state, job);
  if (given.length > (job.maxFailedIndexes ?? Infinity))
    return { at: now, reason: 'MaxFailedIndexesExceeded', message: failedText(given, said) };
  const deadline = deadlineOf(job, state);
  if (deadline !== undefined && deadline <= now) {
    const message = `it was active for longer than ${job.activeDeadlineSeconds} s`;
    return { at: now, reason: 'DeadlineExceeded', message };
  }
  if (isSuccess(job.successRules, state.succeeded) && !job.suspend) return { at: now };
  const isDone = given.length > 0 && given.length + state.succeeded.length >= job.completions;
  return isDone
    ? { at: now, reason: 'FailedIndexes', message: failedText(given, said) }
    : undefined;
}

function failedText(places: readonly number[], said: string): string {
  const numbers = places.toSorted((one, other) => one - other).join(', ');
  const which = places.length === 1 ? `index ${numbers} failed` : `indexes ${numbers} failed`;
  return said === '' ? which : `${which}; ${said}`;
}

function deadlineOf(
  { activeDeadlineSeconds }: JobRules,
  { startedAt }: JobState,
): number | undefined {
  if (activeDeadlineSeconds === undefined || startedAt === undefined) return undefined;
  return startedAt + activeDeadlineSeconds * SECOND_MS;
}

/** Those that go on although the Job does not, or that are too many, the newest first; all of one that is past its time. */
function leavingOf({ job, pods, now }: Run, state: JobState, active: readonly JobPod[]): LivePod[] {
  const expires = expiry(job, state);
  if (expires !== undefined && expires <= now) return pods.map(({ pod }) => pod);
  const room = state.finished === undefined && !job.suspend ? job.parallelism : 0;
  const kept = active
    .toSorted((one, other) => one.pod.createdAt - other.pod.createdAt || one.place - other.place)
    .slice(0, room);
  const evicted = pods.filter(({ pod }) => isEvicted(pod));
  const surplus = active.filter((each) => !kept.includes(each));
  return [...new Set([...surplus, ...evicted].map(({ pod }) => pod))];
}

/** When its pods are removed (ms). */
export function expiry(
  { ttlSecondsAfterFinished: ttl }: JobRules,
  { finished }: JobState,
): number | undefined {
  return ttl === undefined || finished === undefined ? undefined : finished.at + ttl * SECOND_MS;
}

/** The places that pods are made for now, and when the next may be tried again (ms). */
function placesToFill(
  { workload, job, pods, now }: Run,
  state: JobState,
  active: number,
  going: readonly LivePod[],
): { places: JobPlace[]; waitsUntil: number | undefined } {
  if (state.finished !== undefined || job.suspend) return { places: [], waitsUntil: undefined };
  const given = failedPlaces(state, job);
  const left = job.completions - state.succeeded.length - given.length;
  const room = Math.max(0, Math.min(job.parallelism, left) - active);
  const filled = new Set(pods.filter((each) => !isCounted(state, each)).map(({ place }) => place));
  const over = new Set([
    ...state.succeeded,
    ...given,
    ...(job.waitsForGone ? placesOf(workload, going) : []),
  ]);
  const open = Array.from({ length: job.completions }, (_, place) => place).filter(
    (place) => !over.has(place) && !filled.has(place),
  );
  const due = open.filter((place) => retryAt(state, place) <= now).slice(0, room);
  const waits = open.filter((place) => retryAt(state, place) > now);
  const wakeAt = room > due.length ? waits.map((place) => retryAt(state, place)) : [];
  return {
    places: due.map((place) => ({ place, attempt: state.failed[place] ?? 0 })),
    waitsUntil: earliest(wakeAt).wakeAt,
  };
}

function placesOf(workload: Workload, pods: readonly LivePod[]): number[] {
  const run = templateHash(workload);
  return pods.flatMap(({ name }) => placeOf(workload.metadata.name, run, name)?.place ?? []);
}

function failureOf(
  { workload, now }: Run,
  { finished }: JobState,
  active: readonly JobPod[],
): string | undefined {
  if (finished?.reason !== undefined) {
    const message =
      finished.message === undefined || finished.message === '' ? '' : `: ${finished.message}`;
    return `Job ${workload.metadata.name}: ${finished.reason}${message}`;
  }
  const hopeless = active.find(({ pod }) => isGivenUp(pod));
  return hopeless === undefined ? undefined : unreadyReason(hopeless.pod, now);
}

function summaryOf({ job }: Run, state: JobState, active: number): string {
  const { finished, succeeded } = state;
  const failed = failures(state);
  const counts = [
    `${succeeded.length} of ${job.completions} succeeded`,
    ...(active > 0 ? [`${active} active`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  if (finished !== undefined) counts.unshift(finished.reason ?? 'Complete');
  else if (job.suspend) counts.unshift('Suspended');
  return counts.join(', ');
}

function wakeOf({ job, now }: Run, state: JobState): number | undefined {
  const at = state.finished === undefined ? deadlineOf(job, state) : expiry(job, state);
  return at === undefined || at <= now ? undefined : at;
}
