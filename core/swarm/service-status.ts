import { keeperOf } from '#core/docker/pod-spec.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { PodStatus, ResourceStatus } from '#core/engine.ts';
import type { Health } from '#core/health.ts';
import { MARK } from '#core/swarm/marks.ts';
import { gateOf } from '#core/swarm/rollout.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import {
  hasEnded,
  hasFailed,
  isAvailable,
  isImageMissing,
  isReady,
  podStatusOf,
  whyNotReady,
} from '#core/swarm/task-words.ts';
import type { LiveService, LiveTask, SwarmRecord } from '#core/swarm/world.ts';

/** A service that Swarm was just told of has no tasks yet. */
const FIRST_TASKS_MS = 3_000;
const CRASHES_OF_A_LOOP = 3;
const LOOP_WITHIN_MS = 300_000;

export interface KeptService {
  workload: Workload;
  wanted: ServiceSpec;
  live: LiveService | undefined;
  record: Pick<SwarmRecord, 'recordedAt' | 'tried' | 'done' | 'failed'> | undefined;
  /** Whether the live service is the wanted one. */
  isAsWanted: boolean;
  /** Swarm went back from the wanted one, which failed. */
  isRolledBack: boolean;
  tasks: readonly LiveTask[];
  now: number;
  /** Why it cannot run, which Swarm does not know: where its volumes are. */
  hindered?: string;
}

export interface ServiceStatus {
  status: ResourceStatus;
  failure?: string;
  wakeAt?: number;
}

/** How a service stands: what Swarm says of its update, and what its tasks say. */
export function serviceStatus(kept: KeptService): ServiceStatus {
  return kept.workload.job === undefined ? runningStatus(kept) : jobStatus(kept);
}

function runningStatus(kept: KeptService): ServiceStatus {
  const { workload, live, now } = kept;
  const alive = kept.tasks.filter((task) => task.desired === 'running' && !hasEnded(task));
  const current = alive.filter((task) => isCurrent(task, kept));
  const available = current.filter((task) => isAvailable(task, workload, now));
  const desired =
    'Replicated' in kept.wanted.Mode
      ? kept.wanted.Mode.Replicated.Replicas
      : newestBySlot(kept).filter(isMeant).length;
  const isForNobody = 'Replicated' in kept.wanted.Mode && desired === 0;
  const isNew =
    live !== undefined &&
    !isForNobody &&
    kept.tasks.length === 0 &&
    now < live.updatedAt + FIRST_TASKS_MS;
  const others = kept.tasks.some(
    (task) => !isCurrent(task, kept) && task.state === 'running' && task.lostWith === undefined,
  );
  const isComplete =
    kept.isAsWanted &&
    !isNew &&
    !others &&
    available.length === desired &&
    alive.length === desired &&
    !isUnderWay(live);
  const failure = isComplete ? undefined : failureOf(kept, current);
  const loss = lossOf(kept, available);
  const wait = waitsFor(kept, current, desired, available.length);
  const reason = failure ?? (loss === undefined ? wait : `${loss}; ${wait}`);
  const wakes = [
    ...(isNew ? [live.updatedAt + FIRST_TASKS_MS] : []),
    ...current
      .filter((task) => isReady(task) && !available.includes(task))
      .map(({ at }) => at + workload.spec.minReadySeconds * 1_000),
    ...(isComplete || failure !== undefined ? [] : [deadlineOf(kept, current)]),
  ].filter((at) => at > now);
  return {
    status: {
      key: keeperOf(workload),
      health: healthOf(isComplete, failure ?? kept.hindered ?? loss, reason),
      summary: `${available.length} of ${desired} ready`,
      replicas: { desired, ready: available.length },
      pods: podsOf(kept),
    },
    ...(failure === undefined ? {} : { failure: `${displayName(workload)}: ${failure}` }),
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

function jobStatus(kept: KeptService): ServiceStatus {
  const { workload, live, tasks, now } = kept;
  const completions = workload.job?.completions ?? 1;
  const isDone =
    kept.record?.done !== undefined && kept.record.done === kept.wanted.Labels[MARK.run];
  const succeeded = isDone ? completions : tasks.filter(({ state }) => state === 'complete').length;
  const isComplete = succeeded >= completions;
  const why = isComplete ? undefined : whyFailed(kept);
  const failure = why === undefined ? undefined : `it has failed: ${why}`;
  const wait = tasks
    .map((task) => whyNotReady(task, restartsOf(task, kept)))
    .find((why) => why !== '');
  return {
    status: {
      key: keeperOf(workload),
      health: healthOf(isComplete, failure, failure ?? wait ?? 'it runs'),
      summary: `${succeeded} of ${completions} succeeded`,
      pods: podsOf(kept),
    },
    ...(failure === undefined ? {} : { failure: `${displayName(workload)}: ${failure}` }),
    ...(live !== undefined && now < live.updatedAt + FIRST_TASKS_MS
      ? { wakeAt: live.updatedAt + FIRST_TASKS_MS }
      : {}),
  };
}

/** Whether a Job's tasks have all succeeded. */
export function isCompleted({ workload, live, tasks, isAsWanted }: KeptService): boolean {
  if (live === undefined || !isAsWanted || workload.job === undefined) return false;
  return tasks.filter(({ state }) => state === 'complete').length >= workload.job.completions;
}

/** Why a Job's run has failed: more of its tasks have than may. */
export function whyFailed(kept: KeptService): string | undefined {
  const { record, wanted, workload, isAsWanted, tasks } = kept;
  if (record?.failed?.run === wanted.Labels[MARK.run]) return record?.failed?.why;
  if (workload.job === undefined || !isAsWanted) return undefined;
  const failed = tasks.filter(hasFailed).toSorted((one, other) => other.at - one.at);
  const [last] = failed;
  if (last === undefined || failed.length <= workload.job.backoffLimit) return undefined;
  return whyNotReady(last, failed.length - 1);
}

/** Whether every task is there and ready, and Swarm watches none of them any more. */
export function isServing(kept: KeptService): boolean {
  return serviceStatus(kept).status.health.status === 'Healthy';
}

function failureOf(kept: KeptService, current: readonly LiveTask[]): string | undefined {
  const { live, isRolledBack, isAsWanted, now, workload } = kept;
  const { state = '', message = '' } = live?.update ?? {};
  if (isRolledBack) return `Swarm went back to the one before: ${lastError(kept) ?? message}`;
  if (!isAsWanted) return undefined;
  if (state === 'paused' || state === 'rollback_paused')
    return `Swarm paused the update: ${lastError(kept) ?? message}${hintOf(kept)}`;
  const recent = kept.tasks.filter(
    (task) => hasFailed(task) && isCurrent(task, kept) && task.at > now - LOOP_WITHIN_MS,
  );
  const slots = Map.groupBy(recent, ({ slot }) => slot);
  for (const [slot, failed] of slots) {
    const isUp = current.some((task) => task.slot === slot && isReady(task));
    const newest = failed.toSorted((one, other) => other.createdAt - one.createdAt)[0];
    if (isUp || newest === undefined) continue;
    if (isImageMissing(newest) && failed.length > 1) return whyNotReady(newest, 0);
    if (failed.length >= CRASHES_OF_A_LOOP)
      return `CrashLoopBackOff: ${whyNotReady(newest, failed.length)}`;
  }
  if (now < deadlineOf(kept, current)) return undefined;
  const seconds = workload.spec.progressDeadlineSeconds;
  return `not ready after ${seconds} s: ${whyOf(kept) ?? lastError(kept) ?? 'its tasks are not there'}`;
}

/** Of what waits for readiness between its steps only what is ready has Swarm go on. */
function hintOf({ workload }: KeptService): string {
  return gateOf(workload) === undefined
    ? ''
    : '; it goes on once that pod is ready, or with another template';
}

/** Which servers that are down had what is not ready elsewhere yet. On every server none is missed for it. */
function lossOf(
  { tasks, workload }: KeptService,
  available: readonly LiveTask[],
): string | undefined {
  if (workload.kind === 'DaemonSet') return undefined;
  const up = new Set(available.map(({ slot }) => slot));
  const lost = tasks.filter(
    (task) => task.lostWith !== undefined && task.state === 'running' && !up.has(task.slot),
  );
  const servers = [...new Set(lost.map(({ lostWith = '' }) => lostWith))].toSorted();
  if (servers.length === 0) return undefined;
  const which =
    servers.length === 1
      ? `server ${servers[0]} is down`
      : `servers ${servers.join(', ')} are down`;
  const missing = new Set(lost.map(({ slot }) => slot)).size;
  return `${which}, ${missing === 1 ? 'a replica is' : `${missing} replicas are`} begun elsewhere`;
}

/** From when the last task that is not ready was made. */
function deadlineOf(
  { record, live, workload, now }: KeptService,
  current: readonly LiveTask[],
): number {
  const waiting = current.filter((task) => !isReady(task)).map(({ createdAt }) => createdAt);
  const since = Math.max(record?.recordedAt ?? now, live?.updatedAt ?? 0, ...waiting);
  return since + workload.spec.progressDeadlineSeconds * 1_000;
}

function waitsFor(
  kept: KeptService,
  current: readonly LiveTask[],
  desired: number,
  available: number,
): string {
  const why = whyOf(kept) ?? (available < desired ? lastError(kept) : undefined);
  const ready = `${available} of ${desired} ready`;
  if (why !== undefined) return `${ready}; ${why}`;
  if (current.length === desired && available === desired) return 'Swarm still watches the update';
  return ready;
}

function whyOf(kept: KeptService): string | undefined {
  if (kept.hindered !== undefined) return kept.hindered;
  return newestBySlot(kept)
    .filter((task) => isCurrent(task, kept))
    .map((task) => whyNotReady(task, restartsOf(task, kept)))
    .find((why) => why !== '');
}

/** Of the tasks that failed the update, whichever spec is there now. */
function lastError({ tasks, wanted }: KeptService): string | undefined {
  const hash = wanted.TaskTemplate.ContainerSpec.Labels[MARK.templateHash];
  const [last] = tasks
    .filter((task) => hasFailed(task) && task.templateHash === hash)
    .toSorted((one, other) => other.at - one.at);
  return last === undefined ? undefined : whyNotReady(last, 0);
}

function isUnderWay(live: LiveService | undefined): boolean {
  const state = live?.update?.state ?? '';
  return state !== '' && state !== 'completed' && state !== 'rollback_completed';
}

function isCurrent({ templateHash }: LiveTask, { wanted }: KeptService): boolean {
  return templateHash === wanted.TaskTemplate.ContainerSpec.Labels[MARK.templateHash];
}

/** The task that counts for each replica, or server; where one starts before another ends, the newer. */
function newestBySlot({ tasks }: KeptService): LiveTask[] {
  const wanted = tasks.filter(({ desired }) => desired !== 'remove');
  return [...Map.groupBy(wanted, ({ slot }) => slot).values()].flatMap(
    (some) => some.toSorted((one, other) => other.createdAt - one.createdAt)[0] ?? [],
  );
}

/** On every server: Swarm keeps the last task of one that is down, drained, or not meant any more. */
function isMeant({ desired, lostWith }: LiveTask): boolean {
  return desired !== 'shutdown' && lostWith === undefined;
}

function podsOf(kept: KeptService): PodStatus[] {
  const { workload, tasks } = kept;
  const shown = new Set(
    newestBySlot(kept).filter(
      ({ desired, state }) => desired !== 'shutdown' || state !== 'shutdown',
    ),
  );
  for (const task of tasks) if (task.state === 'running') shown.add(task);
  const [container] = workload.spec.template.spec.containers;
  const of = {
    namespace: workload.metadata.namespace ?? 'default',
    owner: keeperOf(workload),
    container: { name: container?.name ?? '', image: container?.image ?? '' },
    isJob: workload.job !== undefined,
  };
  return [...shown]
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map((task) => podStatusOf(task, endedBefore(task, kept), of));
}

function restartsOf(task: LiveTask, kept: KeptService): number {
  return endedBefore(task, kept).length;
}

/** In its place and of its template, the last one first. */
function endedBefore(task: LiveTask, { tasks }: KeptService): LiveTask[] {
  return tasks
    .filter(
      (other) =>
        other.slot === task.slot &&
        other.templateHash === task.templateHash &&
        other.createdAt < task.createdAt &&
        hasEnded(other),
    )
    .toSorted((one, other) => other.createdAt - one.createdAt);
}

function healthOf(isComplete: boolean, failure: string | undefined, reason: string): Health {
  if (isComplete) return { status: 'Healthy', reason: '' };
  return { status: failure === undefined ? 'Progressing' : 'Degraded', reason };
}

function displayName({ kind, metadata }: Workload): string {
  return `${kind} ${metadata.name}`;
}
