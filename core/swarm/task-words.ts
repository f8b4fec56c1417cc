import type { Workload } from '#core/docker/workload.ts';
import type { ContainerStatus, PodStatus } from '#core/engine.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { LiveTask } from '#core/swarm/world.ts';

const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
const UNDER_WAY = new Set(['assigned', 'accepted', 'preparing', 'ready', 'starting']);
/** Swarm names the image of a task that it could not make in several ways. */
const IMAGE =
  /no such image|manifest unknown|pull access denied|repository .*not found|not found: manifest|error pulling/i;

export function hasEnded({ state }: LiveTask): boolean {
  return ENDED.has(state);
}

/** On its way to run: it has a server. */
export function isUnderWay({ state }: LiveTask): boolean {
  return UNDER_WAY.has(state);
}

export function hasFailed({ state }: LiveTask): boolean {
  return state === 'failed' || state === 'rejected';
}

export function isReady({ state, desired, readiness, lostWith }: LiveTask): boolean {
  // Of a Job Swarm wants that it completes.
  const isWanted = desired === 'running' || desired === 'complete';
  const isRunning = state === 'running' && lostWith === undefined;
  return isRunning && isWanted && readiness?.ok !== false;
}

/** Ready for as long as a rollout wants it to have been. */
export function isAvailable(task: LiveTask, { spec }: Workload, now: number): boolean {
  return isReady(task) && task.at + spec.minReadySeconds * 1_000 <= now;
}

export function isImageMissing({ state, error }: LiveTask): boolean {
  return state === 'rejected' && IMAGE.test(error);
}

/** Whether the task's image is still to be pulled: none of its template has run in its place since. */
export function lacksImage(task: LiveTask, all: readonly LiveTask[]): boolean {
  if (task.desired === 'remove' || !isImageMissing(task)) return false;
  return !all.some(
    (other) =>
      other.service === task.service &&
      other.slot === task.slot &&
      other.templateHash === task.templateHash &&
      other.createdAt > task.createdAt &&
      (other.state === 'running' || other.state === 'complete'),
  );
}

/** Why a task is not ready; empty where it is, or where nothing is wrong yet. */
export function whyNotReady(task: LiveTask, restarts: number): string {
  const { state, message, exitCode, readiness } = task;
  const error = whyEnded(task);
  if (isImageMissing(task)) return `ImagePullBackOff: ${error}`;
  if (state === 'rejected') return `the server refused it: ${error}`;
  const times = `${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`;
  if (state === 'failed')
    return exitCode === undefined || task.probed !== undefined
      ? `${error}, ${times}`
      : `exit code ${exitCode}, ${times}`;
  if (state === 'pending' || state === 'new') return error === '' ? '' : `Unschedulable: ${error}`;
  if (readiness?.ok === false) return `readiness probe: ${readiness.answer}`;
  if (state === 'starting' && task.probed !== undefined) return whatItWaitsFor(task.probed);
  return state === 'running' || error === '' ? '' : `${message}: ${error}`;
}

/** As Swarm says it, and where a probe had it end, what that found. */
function whyEnded({ error, probed }: LiveTask): string {
  return probed === undefined ? error : `${probed.probe} probe failed: ${probed.answer}`;
}

function whatItWaitsFor({ probe, answer }: NonNullable<LiveTask['probed']>): string {
  return `${probe} probe: ${answer}`;
}

/** `before` are those that ended in its place, the last one first. */
export function podStatusOf(
  task: LiveTask,
  before: readonly LiveTask[],
  of: {
    namespace: string;
    owner: ResourceKey;
    container: { name: string; image: string };
    isJob: boolean;
  },
): PodStatus {
  const { name, ip, createdAt, state } = task;
  const restarts = before.length;
  const ready = isReady(task);
  return {
    name,
    namespace: of.namespace,
    owner: of.owner,
    ready,
    createdAt,
    ...(ip === undefined ? {} : { ip }),
    ...(state === 'complete' ? { phase: 'Succeeded' as const } : {}),
    ...(hasFailed(task) && of.isJob ? { phase: 'Failed' as const } : {}),
    containers: [
      { ...of.container, ready, restarts, ...stateOf(task, restarts), ...lastOf(before[0]) },
    ],
  };
}

function lastOf(before: LiveTask | undefined): Pick<ContainerStatus, 'last'> {
  if (before?.exitCode === undefined) return {};
  const { exitCode } = before;
  const message = whyEnded(before);
  const reason = exitCode === 0 && before.probed === undefined ? 'Completed' : 'Error';
  return { last: { reason, exitCode, ...(message === '' ? {} : { message }) } };
}

function stateOf(
  task: LiveTask,
  restarts: number,
): Pick<ContainerStatus, 'state' | 'reason' | 'message' | 'exitCode'> {
  const { state, exitCode, readiness, probed } = task;
  if (state === 'starting' && probed !== undefined)
    return { state: 'running', message: whatItWaitsFor(probed) };
  const error = whyEnded(task);
  if (state === 'running')
    return readiness?.ok === false
      ? { state: 'running', message: `readiness probe: ${readiness.answer}` }
      : { state: 'running' };
  if (state === 'complete') return { state: 'terminated', reason: 'Completed', exitCode: 0 };
  if (state === 'failed')
    return {
      state: 'terminated',
      reason: restarts > 1 ? 'CrashLoopBackOff' : 'Error',
      message: error,
      ...(exitCode === undefined ? {} : { exitCode }),
    };
  const reason = isImageMissing(task) ? 'ImagePullBackOff' : waitingReason(task);
  return { state: 'waiting', reason, ...(error === '' ? {} : { message: error }) };
}

function waitingReason({ state }: LiveTask): string {
  return state === 'pending' || state === 'new' ? 'Unschedulable' : 'ContainerCreating';
}
