import { assignAddresses } from '#core/docker/addresses.ts';
import {
  claimStatus,
  claimSteps,
  findClaimRival,
  findLackingClass,
  isClaim,
  reclaimSteps,
  withClaimChanges,
} from '#core/docker/claims.ts';
import { given } from '#core/docker/given.ts';
import { findLostReference } from '#core/docker/held-template.ts';
import { createClaims } from '#core/docker/host-ports.ts';
import type { HostPortClaims } from '#core/docker/host-ports.ts';
import { asScaled, keepAutoscalers } from '#core/docker/keep-autoscalers.ts';
import type { KeptAutoscaler } from '#core/docker/keep-autoscalers.ts';
import { keepCron } from '#core/docker/keep-cron.ts';
import { keepJob } from '#core/docker/keep-job.ts';
import { earliest, keepPods } from '#core/docker/keep-pods.ts';
import type { KeptPods } from '#core/docker/keep-pods.ts';
import { keepSet } from '#core/docker/keep-set.ts';
import { KIND_ORDER } from '#core/docker/kinds.ts';
import { findImmutableChange } from '#core/docker/immutable.ts';
import { assignNodePorts, findNodePortRival } from '#core/docker/node-ports.ts';
import { asPaused, keptTemplate, pausedTemplate } from '#core/docker/paused.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { podStatus } from '#core/docker/pod-status.ts';
import { needsRecords } from '#core/docker/dns-records.ts';
import { blinksUntil, isReady, unreadyReason } from '#core/docker/readiness.ts';
import {
  dueOrders,
  isAddressed,
  isOther,
  ownersWith,
  trafficConfigs,
} from '#core/docker/traffic.ts';
import { trafficStatus, uselessSecretOf } from '#core/docker/traffic-status.ts';
import type { TrafficFacts } from '#core/docker/traffic-status.ts';
import { needsUdp } from '#core/docker/udp.ts';
import type {
  Decision,
  LivePod,
  LiveRecord,
  Step,
  UdpConfig,
  UdpRole,
  World,
} from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper, normalise, sortWorkloads } from '#core/docker/workloads.ts';
import type { DesiredState, OwnerStatus, ResourceStatus } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { Health } from '#core/health.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, Plan } from '#core/plan/change.ts';
import { findOrphans } from '#core/plan/find-orphans.ts';
import { planResources } from '#core/plan/plan.ts';
import { guardPrune } from '#core/plan/prune-guard.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** Replaces a Secret's value by a stand-in: equal for equal values, and telling nothing of them. */
export type Seal = (value: string) => string;

/**
 * What to do next on a Docker host, and how each desired owner stands. Pure: from the same world comes the same
 * decision, so a worker that is killed anywhere and started again goes on as if nothing had happened.
 *
 * The order of steps keeps traffic whole: records before what they promise, names and pods before the proxy sends
 * anything to them, the proxy before pods that leave, and records of what is gone last.
 */
export function decide(
  desired: readonly DesiredState[],
  world: World,
  now: number,
  seal: Seal,
): Decision {
  const owners = desired.map((state) => planOwner(state, world, seal));
  const acting = owners.filter(({ state }) => state.suspended !== true);
  const records = recordsAfter(acting, world);
  const autoscalers = new Map(
    owners.map((owner) => [owner.state.owner, autoscalersOf(owner, world, now)]),
  );
  const claims = createClaims(world.pods);
  // Who is suspended takes nothing from others.
  function claimsOf({ state }: PlannedOwner): HostPortClaims {
    return state.suspended === true ? createClaims(world.pods) : claims;
  }
  const kept = new Map(
    owners.map((owner) => [
      owner.state.owner,
      keepOwner(
        owner,
        records,
        {
          world,
          claims: claimsOf(owner),
          replicas: replicasOf(autoscalers.get(owner.state.owner)),
        },
        now,
      ),
    ]),
  );
  const keeping = acting.flatMap(({ state }) => kept.get(state.owner) ?? []);
  const scaling = acting.flatMap(({ state }) => autoscalers.get(state.owner) ?? []);
  const states = new Map([
    ...keeping.map((pods) => [pods.key, stateOf(pods)] as const),
    ...scaling.flatMap(({ key, state: autoscaler }) =>
      autoscaler === undefined ? [] : [[key, { autoscaler }] as const],
    ),
  ]);
  const unwanted = acting.flatMap((owner) => podsToDrop(owner, world));
  const leaving = [...keeping.flatMap((pods) => pods.leaving), ...unwanted];
  const secrets = owners.flatMap(({ resources }) =>
    resources
      .filter(({ kind }) => kind === 'Secret')
      .map((clear) => ({ clear, sealed: sealSecret(clear, seal) })),
  );
  const traffic = trafficSteps({ records, world, leaving, secrets }, now);
  const steps = [
    ...acting.flatMap((owner) => recordSteps(owner, records, world, states)),
    ...acting.flatMap(({ state, resources }) =>
      claimSteps(state.owner, resources, world.claims, records),
    ),
    ...traffic.names,
    ...keeping.flatMap((pods) => pods.steps),
    ...traffic.proxies,
    ...leaving.map(deleteStep),
    ...acting.flatMap((owner) => forgetSteps(owner, world)),
    ...traffic.orders,
  ];
  return {
    steps,
    owners: owners.map((owner) =>
      ownerStatus(owner, kept.get(owner.state.owner) ?? [], {
        world,
        records,
        now,
        settled: traffic.settled && !traffic.waiting.has(owner.state.owner),
        autoscalers: autoscalers.get(owner.state.owner) ?? [],
      }),
    ),
    autoscalers: Object.fromEntries(
      scaling.flatMap(({ key, memory }) => (memory === undefined ? [] : [[key, memory]])),
    ),
    orphans: findOrphans(
      world.records,
      world.pods.filter(({ deletingSince }) => deletingSince === undefined),
      new Set(desired.map(({ owner }) => owner)),
    ),
    ...earliest([
      ...keeping.map(({ wakeAt }) => wakeAt),
      ...world.pods.map((pod) => blinksUntil(pod, now)),
      traffic.orderAt,
    ]),
  };
}

/** Of one that is suspended nothing is decided anew. */
function autoscalersOf(
  { state, resources }: PlannedOwner,
  { usage, ...world }: World,
  now: number,
): KeptAutoscaler[] {
  const isMeasured = usage !== undefined && state.suspended !== true;
  return keepAutoscalers(state, resources, { ...world, ...(isMeasured ? { usage } : {}) }, now);
}

function replicasOf(autoscalers: readonly KeptAutoscaler[] = []): Map<ResourceKey, number> {
  return new Map(
    autoscalers.flatMap(({ target, replicas }) =>
      replicas === undefined ? [] : [[target, replicas] as const],
    ),
  );
}

interface PlannedOwner {
  state: DesiredState;
  /** Normalised, Secret values in clear. */
  resources: Resource[];
  plan: Plan;
  /** Deletions that wait for a confirmation. */
  held: Plan;
  recording: Extract<Step, { kind: 'record' }>[];
  /** Why nothing is done for this owner: somebody else has what it wants. */
  conflict?: string;
}

function planOwner(state: DesiredState, world: World, seal: Seal): PlannedOwner {
  const resources = state.resources.map(normalise);
  const sealed = resources.map((resource) => sealSecret(resource, seal));
  try {
    const rival =
      findNodePortRival(state.owner, resources, world.records) ??
      findClaimRival(state.owner, resources, world.claims) ??
      findLackingClass(resources, world.records, world.claims) ??
      findLostReference(
        resources,
        world.records.filter(({ owner }) => owner === state.owner),
      );
    if (rival !== undefined) throw new UserError('conflict', rival);
    const changed = findImmutableChange(sealed, world.records);
    if (changed !== undefined) throw new UserError('conflict', changed);
    const everything = planResources(state.owner, sealed, world.records, KIND_ORDER);
    const owned = world.records.filter(({ owner }) => owner === state.owner);
    const { plan, held } = guardPrune(everything, owned, state.guard);
    const altered = new Set(plan.filter(({ action }) => action !== 'delete').map(({ key }) => key));
    const marked = new Set(owned.filter((record) => record.held === true).map(({ key }) => key));
    const recording = inKindOrder(sealed)
      .filter((resource) => altered.has(keyOf(resource)) || marked.has(keyOf(resource)))
      .map((resource) => ({ kind: 'record' as const, owner: state.owner, resource }));
    return { state, resources, plan, held, recording: [...markSteps(held, owned), ...recording] };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { state, resources: [], plan: [], held: [], recording: [], conflict: error.message };
  }
}

/** Marks what is held back, before anything is created: the mark is what keeps it back from then on. */
function markSteps(held: Plan, owned: readonly LiveRecord[]): Extract<Step, { kind: 'record' }>[] {
  const keys = new Set(held.map(({ key }) => key));
  return owned
    .filter((record) => keys.has(record.key) && record.held !== true)
    .map(({ owner, resource }) => ({ kind: 'record', owner, resource, held: true }));
}

function sealSecret(resource: Resource, seal: Seal): Resource {
  if (resource.kind !== 'Secret') return resource;
  const data = resource['data'] as Record<string, string>;
  return {
    ...resource,
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, seal(value)])),
  };
}

/** The inventory as it is once the record steps are done: Services' addresses come from it. */
function recordsAfter(owners: readonly PlannedOwner[], world: World): LiveRecord[] {
  const byKey = new Map(world.records.map((record) => [record.key, record]));
  for (const { recording, state } of owners) {
    for (const { resource, held } of recording) {
      const key = keyOf(resource);
      byKey.set(key, {
        key,
        owner: state.owner,
        resource,
        recordedAt: Infinity,
        ...given(byKey.get(key) ?? {}),
        ...pausedTemplate(resource, byKey.get(key)),
        ...(held === true ? { held } : {}),
      });
    }
  }
  for (const { plan } of owners) {
    for (const { action, key } of plan) if (action === 'delete') byKey.delete(key);
  }
  const services = [...byKey.values()]
    .filter(({ resource }) => isAddressed(resource))
    .map(({ key }) => key);
  const addresses = assignAddresses(services, [...byKey.values()], world.serviceRange);
  const nodePorts = assignNodePorts([...byKey.values()], world.takenPorts);
  return [...byKey.values()].map(({ nodePorts: _before, clusterIp: _ip, ...record }) => ({
    ...record,
    ...given({
      clusterIp: isAddressed(record.resource) ? addresses.get(record.key) : undefined,
      nodePorts: nodePorts.get(record.key),
    }),
  }));
}

/** With what Services were given; that alone is recorded too where it is another than before. */
function recordSteps(
  { state, recording }: PlannedOwner,
  records: readonly LiveRecord[],
  { records: before }: World,
  states: ReadonlyMap<ResourceKey, WorkloadState>,
): Step[] {
  const byKey = new Map(records.map((record) => [record.key, record]));
  const recorded = new Set(recording.map(({ resource }) => keyOf(resource)));
  const moved = before
    .filter(({ key, owner }) => owner === state.owner && byKey.has(key) && !recorded.has(key))
    .filter(
      ({ key, nodePorts, ...record }) =>
        !isEqual(nodePorts, byKey.get(key)?.nodePorts) ||
        !isEqual(stateOf(record), states.get(key) ?? stateOf(record)),
    )
    .map(({ owner, resource, held }): Extract<Step, { kind: 'record' }> => ({
      kind: 'record',
      owner,
      resource,
      ...(held === true ? { held } : {}),
    }));
  return [...recording, ...moved].map((step) => ({
    ...step,
    ...given(byKey.get(keyOf(step.resource)) ?? {}),
    ...keptTemplate(byKey.get(keyOf(step.resource))),
    ...(states.get(keyOf(step.resource)) ??
      stateOf(before.find(({ key }) => key === keyOf(step.resource)) ?? {})),
  }));
}

/** What a workload remembers: one that waits to be deleted, as it was. */
type WorkloadState = Pick<LiveRecord, 'job' | 'set' | 'cron' | 'autoscaler'>;

function stateOf({ job, set, cron, autoscaler }: WorkloadState): WorkloadState {
  return {
    ...(autoscaler === undefined ? {} : { autoscaler }),
    ...(job === undefined ? {} : { job }),
    ...(set === undefined ? {} : { set }),
    ...(cron === undefined ? {} : { cron }),
  };
}

function isEqual(one: object = {}, other: object = {}): boolean {
  return contentHash(one) === contentHash(other);
}

function keepOwner(
  { state, resources }: PlannedOwner,
  records: readonly LiveRecord[],
  {
    world,
    claims,
    replicas,
  }: { world: World; claims: HostPortClaims; replicas: ReadonlyMap<ResourceKey, number> },
  now: number,
): KeptPods[] {
  const workloads = sortWorkloads(resources);
  const declared = new Set(resources.filter(isClaim).map(keyOf));
  return workloads.keepers.map((workload) => {
    const record = records.find(({ key }) => key === keeperOf(workload));
    const recordedAt = record?.recordedAt ?? now;
    const kept = {
      workload: asPaused(asScaled(workload, replicas), record),
      owner: state.owner,
      workloads,
      pods: world.pods,
      claims,
      recordedAt: Math.min(recordedAt, now),
      now,
    };
    const { job, set, cron } = workload;
    const before = world.records.find(({ key }) => key === keeperOf(workload));
    if (cron !== undefined) return keepCron(kept, cron, before);
    if (job !== undefined) return keepJob(kept, job, before?.job);
    if (set !== undefined)
      return keepSet(kept, set, before, { live: world.claims, declared, classes: records });
    return keepPods(kept);
  });
}

/** Pods of this owner whose workload it no longer wants. */
function podsToDrop({ state, resources, held, conflict }: PlannedOwner, world: World): LivePod[] {
  if (conflict !== undefined) return [];
  const wanted = new Set([...resources.map(keyOf), ...held.map(({ key }) => key)]);
  return world.pods.filter(
    (pod) =>
      pod.owner === state.owner && pod.deletingSince === undefined && !wanted.has(pod.keeper),
  );
}

function deleteStep(pod: LivePod): Step {
  return {
    kind: 'deletePod',
    name: pod.name,
    namespace: pod.namespace,
    graceSeconds: pod.graceSeconds,
    why: `${pod.keeper} does not want it`,
  };
}

/**
 * A workload is forgotten when its last pod is gone: until then its record says whose the pods are. A claim whose volume
 * goes with it is forgotten after that, which waits for the pods that have it.
 */
function forgetSteps({ plan }: PlannedOwner, world: World): Step[] {
  const gone = plan
    .filter(
      ({ action, key }) => action === 'delete' && !world.pods.some((pod) => pod.keeper === key),
    )
    .map(({ key }) => key);
  return gone.flatMap((key): Step[] => {
    const reclaimed = reclaimSteps(key, world.records, world.claims);
    return reclaimed.length > 0 ? reclaimed : [{ kind: 'forget', key }];
  });
}

interface Traffic {
  names: Step[];
  proxies: Step[];
  /** Names and proxies are as they should be already, but for what only those who wait need. */
  settled: boolean;
  waiting: ReadonlySet<OwnerKey>;
  /** Of certificates that are due, once the edge answers for them. */
  orders: Step[];
  /** When the next one is due. */
  orderAt: number | undefined;
}

/** Names and proxies for every Service there is, of owners that are not asked about too. */
function trafficSteps(
  {
    records,
    world,
    leaving,
    secrets,
  }: {
    records: readonly LiveRecord[];
    world: World;
    leaving: readonly LivePod[];
    secrets: readonly { clear: Resource; sealed: Resource }[];
  },
  now: number,
): Traffic {
  const gone = new Set(leaving.map(podKey));
  const pods = world.pods.filter((pod) => !gone.has(podKey(pod)));
  const isNeeded = records.length > 0 || world.pods.length > 0;
  const configs = trafficConfigs({ records, pods, world, secrets }, now);
  const { dns, proxy, edge, records: recordServer } = configs;
  const needsEdge = edge.ports.length > 0 || world.edge !== undefined;

  function udpStep(role: UdpRole, config: UdpConfig, running: string | undefined): Step[] {
    return isOther(config.hash, config.nginx, running)
      ? [{ kind: 'configureUdp', role, config, owners: ownersWith(records, needsUdp) }]
      : [];
  }

  const names: Step[] =
    isNeeded && world.dns !== dns.hash ? [{ kind: 'configureDns', config: dns }] : [];
  const proxies: Step[] = [
    ...(isNeeded && world.proxy !== proxy.hash
      ? [{ kind: 'configureProxy' as const, config: proxy }]
      : []),
    ...(needsEdge && world.edge !== edge.hash
      ? [{ kind: 'configureEdge' as const, config: edge }]
      : []),
    ...(isOther(recordServer.hash, recordServer.unbound, world.nameRecords)
      ? [
          {
            kind: 'configureRecords' as const,
            config: recordServer,
            owners: ownersWith(records, needsRecords),
          },
        ]
      : []),
    ...udpStep('udp-proxy', configs.udpProxy, world.udpProxy),
    ...udpStep('udp-edge', configs.udpEdge, world.udpEdge),
  ];
  // An authority asks the edge.
  const asked = world.edge === edge.hash ? configs.orders : [];
  const { due, orderAt } = dueOrders(asked, world.acme, now);
  const orders = due.map((order): Step => ({ kind: 'orderCertificate', order }));
  const waiting = new Set(proxies.flatMap((step) => ('owners' in step ? step.owners : [])));
  const settled = [...names, ...proxies].every((step) => 'owners' in step);
  return { names, proxies, settled, waiting, orders, orderAt };
}

interface StatusScope {
  world: World;
  records: readonly LiveRecord[];
  now: number;
  settled: boolean;
  autoscalers: readonly KeptAutoscaler[];
}

function ownerStatus(
  owner: PlannedOwner,
  kept: readonly KeptPods[],
  scope: StatusScope,
): OwnerStatus {
  const { state, conflict } = owner;
  const { claims, records } = scope.world;
  const claimed = withClaimChanges(owner.plan, owner.resources, records, claims);
  const plan = withPodChanges(withScaling(claimed, scope.autoscalers), kept);
  const resources = owner.resources.map((resource) => resourceStatus(resource, kept, scope));
  const stuck = kept.find((pods) => pods.failure !== undefined)?.failure;
  const useless = uselessSecretOf(owner.resources, factsOf(scope));
  const failure = conflict ?? (state.suspended === true ? undefined : (stuck ?? useless));
  const ending = scope.world.pods.some(
    (pod) => pod.owner === state.owner && pod.deletingSince === undefined && !isKept(pod, owner),
  );
  return {
    owner: state.owner,
    release: state.release,
    plan,
    held: owner.held,
    resources,
    serving:
      plan.length === 0 &&
      scope.settled &&
      !ending &&
      resources.every(({ key, health }) => health.status === 'Healthy' || isOnItsOwn(key)) &&
      conflict === undefined &&
      useless === undefined,
    ...(failure === undefined ? {} : { failure }),
  };
}

/**
 * No release waits for it: what an Ingress lacks is a certificate that is on its way, or will be asked for, and what a
 * CronJob's last Job came to or pods use says nothing of what is released now.
 */
const ON_THEIR_OWN = ['Ingress/', 'CronJob/', 'HorizontalPodAutoscaler/'];

function isOnItsOwn(key: ResourceKey): boolean {
  return ON_THEIR_OWN.some((kind) => key.startsWith(kind));
}

function isKept(pod: LivePod, { resources, held }: PlannedOwner): boolean {
  return (
    resources.some((resource) => keyOf(resource) === pod.keeper) ||
    held.some(({ key }) => key === pod.keeper)
  );
}

/** What has just been scaled, where the HorizontalPodAutoscaler itself is as in git. */
function withScaling(plan: Plan, autoscalers: readonly KeptAutoscaler[]): Plan {
  const planned = new Set(plan.map(({ key }) => key));
  return [
    ...plan,
    ...autoscalers.flatMap(({ key, change }) =>
      change === undefined || planned.has(key) ? [] : [change],
    ),
  ];
}

/** Pods that are not as their workload says are drift, where the workload itself is as in git. */
function withPodChanges(plan: Plan, kept: readonly KeptPods[]): Plan {
  const planned = new Set(plan.map(({ key }) => key));
  const drift = kept
    .filter(({ key, why }) => !planned.has(key) && why.length > 0)
    .map(({ key, why }): Change => ({ action: 'update', key, fields: [], reason: why.join('; ') }));
  return [...plan, ...drift];
}

function resourceStatus(
  resource: Resource,
  kept: readonly KeptPods[],
  scope: StatusScope,
): ResourceStatus {
  const key = keyOf(resource);
  const pods = kept.find((each) => each.key === key);
  if (pods !== undefined) {
    const workload = asScaled(keeper(resource), replicasOf(scope.autoscalers));
    return workloadStatus(workload, pods, scope.now);
  }
  const autoscaler = scope.autoscalers.find((each) => each.key === key);
  if (autoscaler !== undefined) return { key, ...autoscaler.status };
  if (isClaim(resource)) return claimStatus(resource, scope.world.claims);
  const nothing = { key, health: { status: 'Healthy' as const, reason: '' }, summary: '' };
  return trafficStatus(resource, factsOf(scope)) ?? nothing;
}

function factsOf({ world, records, now }: StatusScope): TrafficFacts {
  return { world, records, pods: world.pods, now };
}

function workloadStatus(workload: Workload, kept: KeptPods, now: number): ResourceStatus {
  const { replicas, strategy, paused } = workload.spec;
  // Those that stay: of the current template, or while nothing is replaced of any.
  const staying = kept.pods.filter(
    (pod) =>
      pod.deletingSince === undefined &&
      (paused || strategy.type === 'OnDelete' || kept.specs.has(pod.name)),
  );
  const ready = staying.filter(isReady).length;
  const warning = kept.warning === undefined ? '' : `; ${kept.warning}`;
  const summary =
    kept.summary ??
    `${kept.end?.phase ?? `${ready} of ${replicas} ready`}${paused ? ', paused' : ''}${warning}`;
  const unready = staying.find((pod) => !isReady(pod));
  const reason = unready === undefined ? (kept.pending ?? summary) : unreadyReason(unready, now);
  return {
    key: kept.key,
    health: healthOf(kept, reason),
    summary,
    ...(workload.cron === undefined ? { replicas: { desired: replicas, ready } } : {}),
    pods: kept.pods
      .filter(({ deletingSince }) => deletingSince === undefined)
      .map((pod) => podStatus(pod, kept.specs.get(pod.name), now)),
  };
}

function healthOf({ complete, failure, degraded }: KeptPods, reason: string): Health {
  const wrong = degraded ?? (complete ? undefined : failure);
  if (wrong !== undefined) return { status: 'Degraded', reason: wrong };
  return complete ? { status: 'Healthy', reason: '' } : { status: 'Progressing', reason };
}

function inKindOrder(resources: readonly Resource[]): Resource[] {
  const order: readonly string[] = KIND_ORDER;
  return resources.toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
}

function podKey(pod: { namespace: string; name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
