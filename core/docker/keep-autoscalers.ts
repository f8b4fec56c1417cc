import { autoscale, withinBounds } from '#core/docker/autoscale.ts';
import type { Scaling } from '#core/docker/autoscale.ts';
import type { AutoscalerMemory, AutoscalerState } from '#core/docker/autoscaler-state.ts';
import { isEvicted } from '#core/docker/eviction.ts';
import type { InitContainer } from '#core/docker/kinds.ts';
import type { HorizontalPodAutoscaler } from '#core/docker/kinds-autoscaler.ts';
import type { Requesting, SampledPod } from '#core/docker/metric-replicas.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { isReady, readySince } from '#core/docker/readiness.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper, keepsPods } from '#core/docker/workloads.ts';
import type { LivePod, World } from '#core/docker/world.ts';
import type { DesiredState, ResourceStatus } from '#core/engine.ts';
import type { Change } from '#core/plan/change.ts';
import { displayKey } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** Kubernetes' own defaults: the cpu of a pod that starts is not what it is going to use. */
const CPU_INITIALIZATION_MS = 300_000;
/** So long it is no trouble that nothing is measured. */
const FIRST_MEASURED_MS = 60_000;

/** How one HorizontalPodAutoscaler stands, and how many replicas its target is to have. */
export interface KeptAutoscaler {
  key: ResourceKey;
  target: ResourceKey;
  /** Absent where its target keeps what its own manifest says. */
  replicas?: number;
  /** To be remembered in its record, and otherwise. */
  state?: AutoscalerState;
  memory?: AutoscalerMemory;
  status: Omit<ResourceStatus, 'key'>;
  /** It has just been scaled. */
  change?: Change;
}

/** What the HorizontalPodAutoscalers among these normalised resources decide. */
export function keepAutoscalers(
  state: DesiredState,
  resources: readonly Resource[],
  world: World,
  now: number,
): KeptAutoscaler[] {
  const targets = new Map(
    resources.filter(keepsPods).map((resource) => [keyOf(resource), keeper(resource)]),
  );
  return autoscalersIn(resources).map((autoscaler) => {
    const target = targetOf(autoscaler);
    const workload = targets.get(target);
    const key = autoscalerKey(autoscaler);
    if (workload === undefined) return lost(key, target);
    const isHeld = state.scaledByHand?.includes(target) ?? false;
    return keepAutoscaler({ key, autoscaler, workload, owner: state.owner, isHeld, world, now });
  });
}

export function autoscalerKey({ metadata }: HorizontalPodAutoscaler): ResourceKey {
  return `HorizontalPodAutoscaler/${metadata.namespace ?? 'default'}/${metadata.name}`;
}

/** The key of what it scales. */
export function targetOf({ metadata, spec }: HorizontalPodAutoscaler): ResourceKey {
  const { kind, name } = spec.scaleTargetRef;
  return `${kind}/${metadata.namespace ?? 'default'}/${name}`;
}

export function autoscalersIn(resources: readonly Resource[]): HorizontalPodAutoscaler[] {
  return resources
    .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    .map((resource) => resource as unknown as HorizontalPodAutoscaler);
}

/** With the replicas that its HorizontalPodAutoscaler decided. */
export function asScaled(workload: Workload, replicas: ReadonlyMap<ResourceKey, number>): Workload {
  const decided = replicas.get(keeperOf(workload));
  if (decided === undefined) return workload;
  return { ...workload, spec: { ...workload.spec, replicas: decided } };
}

function lost(key: ResourceKey, target: ResourceKey): KeptAutoscaler {
  const reason = `there is no ${displayKey(target)} to scale`;
  return { key, target, status: { health: { status: 'Degraded', reason }, summary: reason } };
}

interface Kept {
  key: ResourceKey;
  autoscaler: HorizontalPodAutoscaler;
  workload: Workload;
  owner: DesiredState['owner'];
  /** Somebody has scaled its target by hand. */
  isHeld: boolean;
  world: World;
  now: number;
}

function keepAutoscaler(kept: Kept): KeptAutoscaler {
  const { key, autoscaler, workload, isHeld, world, now } = kept;
  const { spec } = autoscaler;
  const target = targetOf(autoscaler);
  const own = workload.spec.replicas;
  if (own === 0 || isHeld) {
    const summary = isHeld ? `held at ${own} replicas by hand` : 'off: its target has replicas: 0';
    const status = { health: { status: 'Healthy', reason: '' }, summary } as const;
    // From there it goes on.
    return { key, target, status, state: { target, replicas: own, events: [] } };
  }
  const recorded = recordOf(world, key)?.autoscaler;
  const before = recorded?.target === target ? recorded : undefined;
  const known = world.autoscalers?.[key];
  const memory = known?.target === target ? known : undefined;
  const current = [before?.replicas, replicasBefore(world, target)].find(Boolean) ?? own;
  const history = {
    recommendations: memory?.recommendations ?? [{ at: now, replicas: current }],
    events: before?.events ?? [],
  };
  const measuredAt = world.usage?.at ?? 0;
  const isDue = world.usage !== undefined && measuredAt > (memory?.measuredAt ?? 0);
  const pods = podsOf(kept, target);
  const containers = requestsOf(workload);
  const scaling = isDue
    ? autoscale(
        spec,
        current,
        { pods: pods.map((pod) => sampled(pod, containers, world, now)), containers },
        history,
        now,
      )
    : (withinBounds(spec, current, history, now) ?? unmeasured(current, history, memory));
  const health = patient(scaling.health, pods, now);
  const { replicas, reason, recommendations, events } = scaling;
  return {
    key,
    target,
    replicas,
    state: { target, replicas, events },
    memory: { target, measuredAt, recommendations, health: scaling.health, reason },
    status: { health, summary: summaryOf(replicas, reason) },
    ...(replicas === current
      ? {}
      : { change: changeOf(key, target, { current, replicas, reason }) }),
  };
}

function recordOf(world: World, key: ResourceKey): World['records'][number] | undefined {
  return world.records.find((record) => record.key === key);
}

/** What a target had before it was scaled: it goes on from there. */
function replicasBefore(world: World, target: ResourceKey): number | undefined {
  const resource = recordOf(world, target)?.resource;
  return resource === undefined ? undefined : keeper(resource).spec.replicas;
}

function unmeasured(
  replicas: number,
  { recommendations, events }: Pick<Scaling, 'recommendations' | 'events'>,
  memory: AutoscalerMemory | undefined,
): Scaling {
  const waits = { status: 'Progressing', reason: 'its pods are measured every 15 s' } as const;
  const { health = waits, reason = '' } = memory ?? {};
  return { replicas, health, reason, recommendations, events };
}

/** Of pods that are new nothing can be known yet. */
function patient(
  health: KeptAutoscaler['status']['health'],
  pods: readonly LivePod[],
  now: number,
): KeptAutoscaler['status']['health'] {
  const isNew = pods.length === 0 || pods.some((pod) => pod.createdAt > now - FIRST_MEASURED_MS);
  return health.status === 'Degraded' && isNew ? { ...health, status: 'Progressing' } : health;
}

function summaryOf(replicas: number, reason: string): string {
  const count = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
  return reason === '' ? count : `${count}, ${reason}`;
}

function changeOf(
  key: ResourceKey,
  target: ResourceKey,
  { current, replicas, reason }: { current: number; replicas: number; reason: string },
): Change {
  const path = `replicas of ${displayKey(target)}`;
  const field = { path, current: String(current), desired: String(replicas) };
  return { action: 'update', key, fields: [field], reason };
}

function podsOf({ owner, world }: Kept, target: ResourceKey): LivePod[] {
  return world.pods.filter(
    (pod) =>
      pod.keeper === target &&
      pod.owner === owner &&
      pod.deletingSince === undefined &&
      !isEvicted(pod),
  );
}

/** Of the containers that run for as long as the pod; what they are limited to counts where they request nothing. */
export function requestsOf({ spec: { template } }: Pick<Workload, 'spec'>): Requesting[] {
  const { containers, initContainers = [] } = template.spec;
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  const all: InitContainer[] = [...containers, ...sidecars];
  return all.map(({ name, resources }) => {
    const { cpu, memory } = { ...resources?.limits, ...resources?.requests };
    return {
      name,
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
    };
  });
}

function sampled(
  pod: LivePod,
  containers: readonly Requesting[],
  { usage }: World,
  now: number,
): SampledPod {
  const live = containers.map(({ name }) => ({ name, container: pod.containers[name] }));
  const used = live.flatMap(({ name, container }) => {
    const measured = container === undefined ? undefined : usage?.containers[container.id];
    return measured === undefined ? [] : [{ name, measured }];
  });
  const since = used.flatMap(({ measured }) => measured.since ?? []);
  return {
    pending: live.some(({ container }) => container === undefined || container.state === 'created'),
    starting: isStarting(pod, Math.min(...since), now),
    usage: Object.fromEntries(used.map(({ name, measured }) => [name, measured])),
  };
}

/** Whether its cpu, measured since then, says nothing yet. */
function isStarting(pod: LivePod, since: number, now: number): boolean {
  const ready = isReady(pod);
  if (now < pod.createdAt + CPU_INITIALIZATION_MS) return !ready || since < readySince(pod);
  return !ready && pod.unreadySince === undefined;
}
