import { orderAt, ordersOf } from '#core/docker/acme.ts';
import { assignAddresses } from '#core/docker/addresses.ts';
import {
  claimKey,
  claimStatus,
  claimSteps,
  findClaimRival,
  isClaim,
  reclaimSteps,
  withClaimChanges,
} from '#core/docker/claims.ts';
import { certificatesOf } from '#core/docker/certificates.ts';
import { createClaims } from '#core/docker/host-ports.ts';
import type { HostPortClaims } from '#core/docker/host-ports.ts';
import { keepJob } from '#core/docker/keep-job.ts';
import type { JobState } from '#core/docker/job-state.ts';
import { earliest, keepPods } from '#core/docker/keep-pods.ts';
import type { KeptPods } from '#core/docker/keep-pods.ts';
import { KIND_ORDER } from '#core/docker/kinds.ts';
import { findImmutableChange } from '#core/docker/immutable.ts';
import { ingressesIn } from '#core/docker/ingress-routes.ts';
import { ingressHealth, uselessSecret } from '#core/docker/ingress-status.ts';
import { usersOf } from '#core/docker/ingress-users.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import { hasAddress, isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import {
  askedPorts,
  assignNodePorts,
  findNodePortRival,
  withNodePorts,
} from '#core/docker/node-ports.ts';
import { asPaused, keptTemplate, pausedTemplate } from '#core/docker/paused.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { podStatus } from '#core/docker/pod-status.ts';
import { needsRecords, recordsConfig, recordsOf } from '#core/docker/dns-records.ts';
import { dnsConfig } from '#core/docker/names.ts';
import { edgeConfig, endpointsOf, proxyConfig } from '#core/docker/proxy.ts';
import type { AddressedService, EdgeIngresses } from '#core/docker/proxy.ts';
import { blinksUntil, isReady, unreadyReason } from '#core/docker/readiness.ts';
import { needsUdp, udpEdgeConfig, udpProxyConfig } from '#core/docker/udp.ts';
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
import type { DesiredState, Orphan, OwnerStatus, ResourceStatus } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, Plan } from '#core/plan/change.ts';
import { planResources } from '#core/plan/plan.ts';
import { guardPrune } from '#core/plan/prune-guard.ts';
import { displayKey } from '#core/present/display.ts';
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
  const claims = createClaims(world.pods);
  // Who is suspended takes nothing from others.
  function claimsOf({ state }: PlannedOwner): HostPortClaims {
    return state.suspended === true ? createClaims(world.pods) : claims;
  }
  const kept = new Map(
    owners.map((owner) => [
      owner.state.owner,
      keepOwner(owner, records, { world, claims: claimsOf(owner) }, now),
    ]),
  );
  const keeping = acting.flatMap(({ state }) => kept.get(state.owner) ?? []);
  const jobs = new Map(keeping.flatMap(({ key, job }) => (job === undefined ? [] : [[key, job]])));
  const unwanted = acting.flatMap((owner) => podsToDrop(owner, world));
  const leaving = [...keeping.flatMap((pods) => pods.leaving), ...unwanted];
  const secrets = owners.flatMap(({ resources }) =>
    resources
      .filter(({ kind }) => kind === 'Secret')
      .map((clear) => ({ clear, sealed: sealSecret(clear, seal) })),
  );
  const traffic = trafficSteps({ records, world, leaving, secrets }, now);
  const steps = [
    ...acting.flatMap((owner) => recordSteps(owner, records, world, jobs)),
    ...acting.flatMap(({ state, resources }) => claimSteps(state.owner, resources, world.claims)),
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
      }),
    ),
    orphans: findOrphans(world, new Set(desired.map(({ owner }) => owner))),
    ...earliest([
      ...keeping.map(({ wakeAt }) => wakeAt),
      ...world.pods.map((pod) => blinksUntil(pod, now)),
      traffic.orderAt,
    ]),
  };
}

function findOrphans({ records, pods }: World, asked: ReadonlySet<OwnerKey>): Orphan[] {
  const left = pods.filter(({ deletingSince }) => deletingSince === undefined);
  const owners = new Set([...records, ...left].map(({ owner }) => owner));
  return [...owners]
    .filter((owner) => !asked.has(owner))
    .toSorted()
    .map((owner) => ({
      owner,
      resources: records
        .filter((record) => record.owner === owner)
        .map(({ key }) => key)
        .toSorted(),
      pods: left.filter((pod) => pod.owner === owner).length,
    }));
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
      findClaimRival(state.owner, resources, world.claims);
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
  jobs: ReadonlyMap<ResourceKey, JobState>,
): Step[] {
  const byKey = new Map(records.map((record) => [record.key, record]));
  const recorded = new Set(recording.map(({ resource }) => keyOf(resource)));
  const moved = before
    .filter(({ key, owner }) => owner === state.owner && byKey.has(key) && !recorded.has(key))
    .filter(
      ({ key, nodePorts, job }) =>
        !isEqual(nodePorts, byKey.get(key)?.nodePorts) ||
        (jobs.has(key) && !isEqual(job, jobs.get(key))),
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
    ...jobOf(keyOf(step.resource), jobs, before),
  }));
}

/** How far its run came: of one that waits to be deleted, as it was. */
function jobOf(
  key: ResourceKey,
  jobs: ReadonlyMap<ResourceKey, JobState>,
  before: readonly LiveRecord[],
): Pick<LiveRecord, 'job'> {
  const job = jobs.get(key) ?? before.find((record) => record.key === key)?.job;
  return job === undefined ? {} : { job };
}

function isEqual(one: object = {}, other: object = {}): boolean {
  return contentHash(one) === contentHash(other);
}

/** What a Service was given, and keeps. */
function given({
  clusterIp,
  nodePorts,
}: {
  clusterIp?: string | undefined;
  nodePorts?: Record<string, number> | undefined;
}): Pick<LiveRecord, 'clusterIp' | 'nodePorts'> {
  return {
    ...(clusterIp === undefined ? {} : { clusterIp }),
    ...(nodePorts === undefined ? {} : { nodePorts }),
  };
}

function keepOwner(
  { state, resources }: PlannedOwner,
  records: readonly LiveRecord[],
  { world, claims }: { world: World; claims: HostPortClaims },
  now: number,
): KeptPods[] {
  const workloads = sortWorkloads(resources);
  return workloads.keepers.map((workload) => {
    const record = records.find(({ key }) => key === keeperOf(workload));
    const recordedAt = record?.recordedAt ?? now;
    const kept = {
      workload: asPaused(workload, record),
      owner: state.owner,
      workloads,
      pods: world.pods,
      claims,
      recordedAt: Math.min(recordedAt, now),
      now,
    };
    const { job } = workload;
    if (job === undefined) return keepPods(kept);
    const before = world.records.find(({ key }) => key === keeperOf(workload))?.job;
    return keepJob(kept, job, before);
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
  const reclaimed = reclaimSteps(gone, world.records, world.claims);
  const waiting = new Set(reclaimed.map(claimKey));
  return [
    ...reclaimed,
    ...gone.filter((key) => !waiting.has(key)).map((key): Step => ({ kind: 'forget', key })),
  ];
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
  const services = addressed(records);
  const gone = new Set(leaving.map(podKey));
  const pods = world.pods.filter((pod) => !gone.has(podKey(pod)));
  const isNeeded = records.length > 0 || world.pods.length > 0;
  const { nameServer } = world;
  const named = records.flatMap(({ resource }) => serviceOf(resource) ?? []);
  const domains = recordsOf(named, pods, now);
  const recordServer = recordsConfig(domains, nameServer);
  const web = ingressesOf(records, world, secrets, now);
  const [dns, proxy, edge] = [
    dnsConfig({ services, unaddressed: unaddressed(records), pods, records: domains, now }),
    proxyConfig(services, pods, now),
    edgeConfig(services, pods, now, web),
  ];
  const udp = { services, pods, nameServer, now };
  const needsEdge = edge.ports.length > 0 || world.edge !== undefined;

  function having(has: (service: Service) => boolean): OwnerKey[] {
    const found = records.filter(({ resource }) => {
      const service = serviceOf(resource);
      return service !== undefined && has(service);
    });
    return [...new Set(found.map(({ owner }) => owner))];
  }

  function udpStep(role: UdpRole, config: UdpConfig, running: string | undefined): Step[] {
    return isOther(config.hash, config.nginx, running)
      ? [{ kind: 'configureUdp', role, config, owners: having(needsUdp) }]
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
      ? [{ kind: 'configureRecords' as const, config: recordServer, owners: having(needsRecords) }]
      : []),
    ...udpStep('udp-proxy', udpProxyConfig(udp), world.udpProxy),
    ...udpStep('udp-edge', udpEdgeConfig(udp), world.udpEdge),
  ];
  const orders = world.edge === edge.hash ? dueOrders(web, world, now) : { orders: [] };
  const waiting = new Set(proxies.flatMap((step) => ('owners' in step ? step.owners : [])));
  const settled = [...names, ...proxies].every((step) => 'owners' in step);
  return { names, proxies, settled, waiting, orderAt: undefined, ...orders };
}

function dueOrders(
  { orders }: EdgeIngresses,
  { acme }: World,
  now: number,
): Pick<Traffic, 'orders' | 'orderAt'> {
  const timed = orders.flatMap((order) => {
    const at = acme === undefined ? undefined : orderAt(order, acme);
    return at === undefined ? [] : [{ order, at }];
  });
  return {
    orders: timed
      .filter(({ at }) => at <= now)
      .map(({ order }) => ({ kind: 'orderCertificate', order })),
    orderAt: earliest(timed.map(({ at }) => (at <= now ? undefined : at))).wakeAt,
  };
}

/** Of what runs only where it has something to do. */
function isOther(hash: string, config: string, running: string | undefined): boolean {
  return (config !== '' || running !== undefined) && running !== hash;
}

function addressed(records: readonly LiveRecord[]): AddressedService[] {
  return records.flatMap(({ resource, clusterIp, nodePorts, recordedAt, held = false }) => {
    const recorded = serviceOf(resource);
    if (recorded === undefined || clusterIp === undefined) return [];
    const service = withNodePorts(recorded, nodePorts);
    return [{ service, address: clusterIp, recordedAt, held }];
  });
}

function ingressesOf(
  records: readonly LiveRecord[],
  world: World,
  secrets: readonly { clear: Resource; sealed: Resource }[],
  now: number,
): EdgeIngresses {
  const ingresses = ingressesIn(records);
  const services = records.flatMap(({ resource }) => serviceOf(resource) ?? []);
  return {
    ingresses,
    certificates: certificatesOf(ingresses, records, secrets, world, now),
    orders: world.acme === undefined ? [] : ordersOf(ingresses, world.acme, records),
    thumbprint: world.acme?.thumbprint ?? '',
    users: usersOf(ingresses, records, secrets),
    ports: world.ingressPorts,
    services: new Map(services.map((each) => [podKey(withNamespace(each)), each])),
  };
}

function withNamespace({ metadata }: Service): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name };
}

function unaddressed(records: readonly LiveRecord[]): Service[] {
  return records.flatMap(({ resource }) => {
    const service = serviceOf(resource);
    return service === undefined || hasAddress(service) ? [] : [service];
  });
}

function isAddressed(resource: Resource): boolean {
  const service = serviceOf(resource);
  return service !== undefined && hasAddress(service);
}

function serviceOf(resource: Resource): Service | undefined {
  return resource.kind === 'Service' ? (resource as unknown as Service) : undefined;
}

interface StatusScope {
  world: World;
  records: readonly LiveRecord[];
  now: number;
  settled: boolean;
}

function ownerStatus(
  owner: PlannedOwner,
  kept: readonly KeptPods[],
  scope: StatusScope,
): OwnerStatus {
  const { state, conflict } = owner;
  const { claims, records } = scope.world;
  const plan = withPodChanges(withClaimChanges(owner.plan, owner.resources, records, claims), kept);
  const resources = owner.resources.map((resource) => resourceStatus(resource, kept, scope));
  const stuck = kept.find((pods) => pods.failure !== undefined)?.failure;
  const useless = uselessSecretOf(owner, scope);
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
      resources.every(({ key, health }) => health.status === 'Healthy' || isIngress(key)) &&
      conflict === undefined &&
      useless === undefined,
    ...(failure === undefined ? {} : { failure }),
  };
}

/** A release with it would serve no certificate but the internal CA's. */
function uselessSecretOf(
  { resources }: PlannedOwner,
  { world, records, now }: StatusScope,
): string | undefined {
  const known = resourcesOf(records);
  return resources
    .filter(({ kind }) => kind === 'Ingress')
    .map((resource) => {
      const why = uselessSecret(resource as unknown as Ingress, world, known, now);
      return why === undefined ? undefined : `${displayKey(keyOf(resource))}: ${why}`;
    })
    .find((why) => why !== undefined);
}

function resourcesOf(records: readonly LiveRecord[]): Map<ResourceKey, Resource> {
  return new Map(records.map(({ key, resource }) => [key, resource]));
}

/** What it lacks is a certificate that is on its way, or will be asked for: no release waits for that. */
function isIngress(key: ResourceKey): boolean {
  return key.startsWith('Ingress/');
}

function isKept(pod: LivePod, { resources, held }: PlannedOwner): boolean {
  return (
    resources.some((resource) => keyOf(resource) === pod.keeper) ||
    held.some(({ key }) => key === pod.keeper)
  );
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
  if (pods !== undefined) return workloadStatus(keeper(resource), pods, scope.now);
  if (resource.kind === 'Service') return serviceStatus(key, resource as unknown as Service, scope);
  if (isClaim(resource)) return claimStatus(resource, scope.world.claims);
  if (resource.kind === 'Ingress') return ingressStatus(key, resource as unknown as Ingress, scope);
  return { key, health: { status: 'Healthy', reason: '' }, summary: '' };
}

function ingressStatus(
  key: ResourceKey,
  ingress: Ingress,
  { world, records, now }: StatusScope,
): ResourceStatus {
  return {
    key,
    health: ingressHealth(ingress, world, resourcesOf(records), now),
    summary: ingress.spec.rules.map(({ host = '*' }) => host).join(', '),
  };
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
    health: kept.complete
      ? { status: 'Healthy', reason: '' }
      : {
          status: kept.failure === undefined ? 'Progressing' : 'Degraded',
          reason: kept.failure ?? reason,
        },
    summary,
    replicas: { desired: replicas, ready },
    pods: kept.pods
      .filter(({ deletingSince }) => deletingSince === undefined)
      .map((pod) => podStatus(pod, kept.specs.get(pod.name), now)),
  };
}

function serviceStatus(
  key: ResourceKey,
  service: Service,
  { world, records, now }: StatusScope,
): ResourceStatus {
  if (service.spec.type === 'ExternalName')
    return {
      key,
      health: { status: 'Healthy', reason: '' },
      summary: `leads to ${service.spec.externalName}`,
    };
  const endpoints = endpointsOf(service, world.pods, now).length;
  const record = records.find((each) => each.key === key);
  const address = isHeadless(service) ? 'headless' : (record?.clusterIp ?? 'no address yet');
  const ports = withNodePorts(service, record?.nodePorts)
    .spec.ports.map(({ port, nodePort, protocol }) =>
      [
        nodePort === undefined ? `${port}` : `${port}:${nodePort}`,
        ...(protocol === 'TCP' ? [] : [protocol]),
      ].join('/'),
    )
    .join(',');
  const rival = ingressPortOf(service, { world, records });
  return {
    key,
    health:
      rival === undefined
        ? { status: 'Healthy', reason: '' }
        : { status: 'Degraded', reason: `port ${rival} of the host is where Ingresses are served` },
    summary: `${address}, ${ports === '' ? '' : `ports ${ports}, `}${endpoints} ${endpoints === 1 ? 'endpoint' : 'endpoints'}`,
  };
}

/** A port of the host that the Service asks for and Ingresses have. */
function ingressPortOf(
  service: Service,
  { world, records }: Pick<StatusScope, 'world' | 'records'>,
): number | undefined {
  if (!records.some(({ resource }) => resource.kind === 'Ingress')) return undefined;
  return askedPorts(service).find(
    ({ port, protocol }) => protocol === 'TCP' && Object.values(world.ingressPorts).includes(port),
  )?.port;
}

function inKindOrder(resources: readonly Resource[]): Resource[] {
  const order: readonly string[] = KIND_ORDER;
  return resources.toSorted((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));
}

function podKey(pod: { namespace: string; name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
