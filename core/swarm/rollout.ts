import { keeperOf } from '#core/docker/pod-spec.ts';
import { amount } from '#core/docker/rollout.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { differences } from '#core/swarm/differences.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import { serviceName } from '#core/swarm/names.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { hasEnded, isAvailable } from '#core/swarm/task-words.ts';
import type { LiveService, LiveTask } from '#core/swarm/world.ts';

/**
 * Swarm's update goes on once a new task runs, and knows nothing of readiness. Where a workload says when its pods are
 * ready, Swarm changes a few tasks and is told to go on when those are available; pods beyond the replicas are tasks of a
 * service beside it, which are available before the first task is changed, and go with the last.
 */
export interface Gate {
  /** So many tasks are changed at once. */
  parallelism: number;
  /** So many are there beside them meanwhile. */
  surge: number;
  order: 'start-first' | 'stop-first';
}

export interface Rollout {
  spec: ServiceSpec;
  /** Whether the service is to wait for the tasks beside it. */
  isHeld: boolean;
  /**
   * Between two steps: whatever Swarm is told has it go on with the next tasks, so that what else is to be changed comes
   * with the next step.
   */
  isBetween?: boolean;
  /** The service beside it. */
  surge?: ServiceSpec;
}

/** Absent where a task counts from when it runs. */
export function gateOf({ kind, spec, job }: Workload): Gate | undefined {
  const [container] = spec.template.spec.containers;
  const saysWhen = container?.readinessProbe !== undefined || spec.minReadySeconds > 0;
  if (!saysWhen || job !== undefined || spec.strategy.type !== 'RollingUpdate') return undefined;
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate;
  const hasHostPorts = container?.ports.some(({ hostPort }) => hostPort !== undefined) === true;
  if (kind === 'DaemonSet') {
    const atOnce = amount(maxUnavailable, spec.replicas, Math.floor);
    // A server has its own: there is none beside it.
    return atOnce > 0 || hasHostPorts
      ? { parallelism: Math.max(1, atOnce), surge: 0, order: 'stop-first' }
      : { parallelism: 1, surge: 0, order: 'start-first' };
  }
  if (kind !== 'Deployment') return undefined;
  const most = amount(maxSurge, spec.replicas, Math.ceil);
  // Each stands in for one that there is.
  const surge = hasHostPorts ? 0 : Math.min(most, spec.replicas);
  const unavailable = amount(maxUnavailable, spec.replicas, Math.floor);
  return { parallelism: Math.max(1, surge + unavailable), surge, order: 'stop-first' };
}

const UNDER_WAY: ReadonlySet<string> = new Set(['updating', 'paused']);

interface Rolling {
  workload: Workload;
  spec: ServiceSpec;
  place: SwarmPlace;
  live: LiveService | undefined;
  tasks: readonly LiveTask[];
  /** Of the service beside it, and whether that is there. */
  beside: readonly LiveTask[] | undefined;
  now: number;
}

/** What the service is to be next. */
export function rolloutOf(rolling: Rolling): Rollout {
  const { workload, spec, live, now } = rolling;
  const gate = gateOf(workload);
  if (gate === undefined || live === undefined) return { spec, isHeld: false };
  const before = live.spec as ServiceSpec;

  function isAvailableNow(task: LiveTask): boolean {
    return isOf(task, spec) && isAvailable(task, workload, now);
  }

  if (differences(before.TaskTemplate, spec.TaskTemplate).length > 0) {
    const next = { spec: withStep(spec, '0'), isHeld: false };
    if (gate.surge === 0) return next;
    const ready = (rolling.beside ?? []).filter(isAvailableNow).length;
    return { ...next, isHeld: ready < gate.surge, surge: surgeOf(rolling, gate) };
  }
  const alive = rolling.tasks.filter((task) => task.desired === 'running' && !hasEnded(task));
  const available = alive.filter(isAvailableNow).length;
  const total = alive.length;
  const step = before.Labels[MARK.step];
  // One that is paused goes on once the tasks that failed are available after all.
  const isUnderWay = UNDER_WAY.has(live.update?.state ?? '');
  const enough = Math.min(total, Number(step ?? 0) + gate.parallelism);
  const isTurn = isUnderWay && total > 0 && available >= enough;
  const isOver = !isUnderWay && !rolling.tasks.some((task) => isLeft(task, spec));
  const keeps = !isOver || (rolling.beside !== undefined && available < total);
  return {
    spec: isTurn ? withStep(spec, String(available)) : withStep(spec, step),
    isHeld: false,
    isBetween: isUnderWay && !isTurn && !endsAll(spec),
    ...(keeps && gate.surge > 0 ? { surge: surgeOf(rolling, gate) } : {}),
  };
}

function endsAll({ Mode }: ServiceSpec): boolean {
  return 'Replicated' in Mode && Mode.Replicated.Replicas === 0;
}

/** No kind of Kubernetes: no resource has such a key. */
const SURGE = 'Surge';

export function surgeKey(workload: Workload): ResourceKey {
  return keeperOf(workload).replace(/^[^/]+/, SURGE);
}

/** Whether it is the key of a service that stands in for a while. */
export function isSurge(key: ResourceKey): boolean {
  return key.startsWith(`${SURGE}/`);
}

function surgeOf({ workload, spec, place }: Rolling, { surge: Replicas }: Gate): ServiceSpec {
  const key = surgeKey(workload);
  return {
    ...spec,
    Name: serviceName(place, key),
    Labels: { ...spec.Labels, [MARK.resource]: key },
    Mode: { Replicated: { Replicas } },
  };
}

/** Of the template before. Of one whose server died Swarm goes on telling that it runs. */
function isLeft(task: LiveTask, spec: ServiceSpec): boolean {
  return !isOf(task, spec) && task.state === 'running' && task.lostWith === undefined;
}

function isOf({ templateHash }: LiveTask, { TaskTemplate }: ServiceSpec): boolean {
  return templateHash === TaskTemplate.ContainerSpec.Labels[MARK.templateHash];
}

/** Another step is another service to Swarm, which goes on with the tasks that are not as it says, and restarts none. */
function withStep(spec: ServiceSpec, step: string | undefined): ServiceSpec {
  return step === undefined ? spec : { ...spec, Labels: { ...spec.Labels, [MARK.step]: step } };
}
