import { given } from '#core/docker/given.ts';
import { findNodePortRival } from '#core/docker/node-ports.ts';
import { trafficStatus, uselessSecretOf } from '#core/docker/traffic-status.ts';
import type { TrafficFacts } from '#core/docker/traffic-status.ts';
import { trafficOf, withAddresses } from '#core/swarm/traffic.ts';
import { podsOfTasks } from '#core/swarm/task-pods.ts';
import { findImmutableChange } from '#core/docker/immutable.ts';
import { isClaim, withClaimFates } from '#core/docker/claims.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import type { DesiredState, OwnerStatus, ResourceStatus } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, Plan } from '#core/plan/change.ts';
import { findOrphans } from '#core/plan/find-orphans.ts';
import { planResources } from '#core/plan/plan.ts';
import { guardPrune } from '#core/plan/prune-guard.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import { claimStatus } from '#core/swarm/claims.ts';
import { SWARM_KIND_ORDER } from '#core/swarm/kinds.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import { normaliseForSwarm } from '#core/swarm/normalise.ts';
import { isWritten } from '#core/swarm/keep-service.ts';
import type { Keeper, Kept, Remembered } from '#core/swarm/keep-service.ts';
import { keepServices } from '#core/swarm/keep-services.ts';
import type { Seal } from '#core/swarm/files.ts';
import { surgeKey } from '#core/swarm/rollout.ts';
import type { EndpointMode, ServiceSpec } from '#core/swarm/service.ts';
import { placeProbes } from '#core/swarm/place-probes.ts';
import { turnOf, withWish } from '#core/swarm/spread.ts';
import type { Turn } from '#core/swarm/spread.ts';
import { begunAnew, WAITS_IN_VAIN } from '#core/swarm/stuck-update.ts';
import { isCompleted, whyFailed } from '#core/swarm/service-status.ts';
import type {
  NewRecord,
  SwarmClaim,
  SwarmDecision,
  SwarmRecord,
  SwarmStep,
  SwarmWorld,
} from '#core/swarm/world.ts';

export interface SwarmRules {
  place: SwarmPlace;
  seal: Seal;
  endpointMode: EndpointMode;
  /** Servers have the network, proxies and name servers also while nothing runs on them. */
  declared: boolean;
}

/**
 * What to tell Swarm next, and how each desired owner stands. Pure: from the same world comes the same decision, so a
 * worker that is killed anywhere and started again goes on as if nothing had happened.
 *
 * Records come before what they promise, files before the services that mount them, and files go when no service uses
 * them, nor the one that Swarm would go back to.
 */
export function decide(
  desired: readonly DesiredState[],
  world: SwarmWorld,
  now: number,
  rules: SwarmRules,
): SwarmDecision {
  const owners = planOwners(desired, world, now, rules);
  const acting = owners.filter(({ state }) => state.suspended !== true);
  const recording = acting.flatMap((owner) => recordSteps(owner, world, now));
  const forgetting = acting.flatMap((owner) => forgetSteps(owner, world));
  const records = withAddresses(recordsAfter(recording, forgetting, world), world);
  const secrets = owners.flatMap(({ resources, sealed }) =>
    resources
      .map((clear, index) => ({ clear, sealed: sealed[index] ?? clear }))
      .filter(({ clear }) => clear.kind === 'Secret'),
  );
  const leaving = leavingNodes(owners, world);
  const traffic = trafficOf(records, secrets, world, { leaving, now, declared: rules.declared });
  const placing = placeProbes(acting.flatMap(specsOf), world);
  const waiting = new Set([...traffic.waiting, ...placing.flatMap((step) => step.owners)]);
  const steps = [
    ...withGiven(recording, records, world),
    ...placing,
    ...traffic.steps,
    ...acting.flatMap((owner) => serviceSteps(owner, world)),
    ...acting.flatMap((owner) => dropSteps(owner, world)),
    ...forgetting,
    ...acting.flatMap((owner) => fileSteps(owner, world)),
  ];
  const facts = { records, pods: podsOfTasks(world.tasks), world, now };
  const statuses = owners.map((owner) =>
    ownerStatus(
      owner,
      { ...facts, claims: world.claims },
      traffic.settled && !waiting.has(owner.state.owner),
    ),
  );
  const wakes = [...statuses.map(({ wakeAt }) => wakeAt), traffic.orderAt].flatMap(
    (at) => at ?? [],
  );
  return {
    steps,
    acting: new Set(acting.map(({ state }) => state.owner)),
    owners: statuses.map(({ status }) => status),
    orphans: findOrphans(world.records, world.services, new Set(desired.map(({ owner }) => owner))),
    leaving: traffic.isUntold ? stillLedTo(leaving) : leaving,
    pinned: pinnedTo(owners.flatMap(({ kept }) => kept)),
    pulls: new Map(owners.flatMap(({ kept }) => kept.flatMap(pullOf))),
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

interface PlannedOwner {
  state: DesiredState;
  resources: Resource[];
  /** As they are recorded: values of Secrets replaced. */
  sealed: Resource[];
  plan: Plan;
  held: Plan;
  keepers: Keeper[];
  /** The services of all of them. */
  kept: Kept[];
  conflict?: string;
}

/** Of what nobody may touch now nothing is moved. */
function leavingNodes(
  owners: readonly PlannedOwner[],
  { nodes }: SwarmWorld,
): SwarmDecision['leaving'] {
  const all = owners.flatMap(({ state, kept }) =>
    kept.flatMap(({ key, leaving }) =>
      leaving === undefined
        ? []
        : [{ key, ...leaving, isMoved: leaving.isMoved && state.suspended !== true }],
    ),
  );
  function keysOn(node: string, isMoved: boolean): string[] {
    return all
      .filter((one) => one.isMoved === isMoved && one.nodes.includes(node))
      .map(({ key }) => key);
  }
  const paused = nodes.filter(({ availability }) => availability === 'pause');
  return new Map(
    paused.map(({ id }) => [id, { waits: keysOn(id, true), breaks: keysOn(id, false) }]),
  );
}

function pinnedTo(kept: readonly Kept[]): SwarmDecision['pinned'] {
  const keys = new Map<string, ResourceKey[]>();
  for (const { home, key } of kept)
    if (home !== undefined) keys.set(home, [...new Set([...(keys.get(home) ?? []), key])]);
  return keys;
}

function stillLedTo(leaving: SwarmDecision['leaving']): SwarmDecision['leaving'] {
  return new Map([...leaving].map(([node, left]) => [node, { ...left, isLedTo: true }]));
}

function specsOf({ state, kept }: PlannedOwner): { owner: OwnerKey; spec: ServiceSpec }[] {
  return kept.map(({ wanted }) => ({ owner: state.owner, spec: wanted }));
}

function pullOf({
  service: { spec, logins },
}: Kept): [string, { image: string; logins: Login[] }][] {
  const { Image, Labels } = spec.TaskTemplate.ContainerSpec;
  const template = Labels[MARK.templateHash];
  return template === undefined ? [] : [[template, { image: Image, logins }]];
}

/** That which service has its turn depends on how all are without one. */
function planOwners(
  desired: readonly DesiredState[],
  world: SwarmWorld,
  now: number,
  rules: SwarmRules,
): PlannedOwner[] {
  const atRest = desired.map((state) =>
    planOwner(state, world, now, { ...rules, turn: undefined }),
  );
  const turn = turnOf(desired, ({ owner, resource }) => keptIn(atRest, owner, resource), now);
  return atRest.map((planned) =>
    planned.state.owner === turn?.owner
      ? planOwner(planned.state, world, now, { ...rules, turn })
      : planned,
  );
}

function keptIn(
  owners: readonly PlannedOwner[],
  owner: OwnerKey,
  key: ResourceKey,
): Kept | undefined {
  return owners.find(({ state }) => state.owner === owner)?.kept.find((each) => each.key === key);
}

function planOwner(
  state: DesiredState,
  world: SwarmWorld,
  now: number,
  rules: SwarmRules & { turn: Turn | undefined },
): PlannedOwner {
  const { owner } = state;
  try {
    const resources = state.resources.map(normaliseForSwarm);
    const sealed = resources.map((resource) => sealSecret(resource, rules.seal));
    const changed = findImmutableChange(sealed, world.records);
    const rival = changed ?? findNodePortRival(owner, resources, world.records);
    if (rival !== undefined) throw new UserError('conflict', rival);
    const owned = world.records.filter((record) => record.owner === owner);
    const everything = planResources(owner, sealed, world.records, SWARM_KIND_ORDER);
    const told = withClaimFates(everything, world.records, world.claims);
    const { plan, held } = guardPrune(told, owned, state.guard);
    const keepers = keepServices(resources, { owner, world, now, ...rules });
    const kept = keepers.flatMap((keeper) => keeper.kept);
    return { state, resources, sealed, plan, held, keepers, kept };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const nothing = { resources: [], sealed: [], plan: [], held: [], keepers: [], kept: [] };
    return { state, ...nothing, conflict: error.message };
  }
}

function sealSecret(resource: Resource, seal: Seal): Resource {
  if (resource.kind !== 'Secret') return resource;
  const data = resource['data'] as Record<string, string>;
  return {
    ...resource,
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, seal(value)])),
  };
}

function recordSteps(
  { state, sealed, plan, held, keepers }: PlannedOwner,
  world: SwarmWorld,
  now: number,
): SwarmStep[] {
  const { owner } = state;
  const altered = new Set(plan.filter(({ action }) => action !== 'delete').map(({ key }) => key));
  const byKey = new Map(world.records.map((record) => [record.key, record]));
  const states = new Map(keepers.map(({ key, remembered }) => [key, remembered]));
  const marking = held.flatMap(({ key }) => {
    const record = byKey.get(key);
    if (record === undefined || record.held === true) return [];
    const { resource, recordedAt } = record;
    return [{ kind: 'record' as const, owner, resource, recordedAt, held: true as const }];
  });
  const recording = inKindOrder(sealed).flatMap((resource) => {
    const key = keyOf(resource);
    const before = byKey.get(key);
    const after = states.get(key) ?? {};
    const isSame =
      before !== undefined &&
      before.held !== true &&
      contentHash(compared(before)) === contentHash(compared(after));
    if (isSame && !altered.has(key)) return [];
    const recordedAt = altered.has(key) ? now : (before?.recordedAt ?? now);
    const next: NewRecord = { owner, resource, recordedAt, ...after };
    return [{ kind: 'record' as const, ...next }];
  });
  return [...marking, ...recording];
}

function compared({ tried, done, failed, cron, set }: Remembered): object {
  return { tried, done, failed: failed?.run, cron, set };
}

/** The inventory as it is once these steps are done, but for what Services are given. */
function recordsAfter(
  recording: readonly SwarmStep[],
  forgetting: readonly SwarmStep[],
  { records }: SwarmWorld,
): SwarmRecord[] {
  const byKey = new Map(records.map((record) => [record.key, record]));
  for (const step of recording) {
    if (step.kind !== 'record') continue;
    const { kind: _kind, ...record } = step;
    const key = keyOf(step.resource);
    const { clusterIp, nodePorts } = byKey.get(key) ?? {};
    byKey.set(key, { key, ...record, ...given({ clusterIp, nodePorts }) });
  }
  for (const step of forgetting) if (step.kind === 'forget') byKey.delete(step.key);
  return [...byKey.values()];
}

/** With what Services are given; that alone is recorded too where it is another than before. */
function withGiven(
  recording: readonly SwarmStep[],
  records: readonly SwarmRecord[],
  world: SwarmWorld,
): SwarmStep[] {
  const after = new Map(records.map((record) => [record.key, record]));
  const steps = recording.map((step) =>
    step.kind === 'record' ? { ...step, ...given(after.get(keyOf(step.resource)) ?? {}) } : step,
  );
  const written = new Set(
    recording.flatMap((step) => (step.kind === 'record' ? [keyOf(step.resource)] : [])),
  );
  const moved = world.records.flatMap((before): SwarmStep[] => {
    const { key, held, ...record } = after.get(before.key) ?? before;
    const isSame = contentHash(given(before)) === contentHash(given(record));
    if (written.has(key) || isSame) return [];
    return [{ kind: 'record', ...record, ...(held === true ? { held } : {}) }];
  });
  return [...steps, ...moved];
}

function inKindOrder(resources: readonly Resource[]): Resource[] {
  const kinds: readonly string[] = SWARM_KIND_ORDER;
  return resources.toSorted((one, other) => kinds.indexOf(one.kind) - kinds.indexOf(other.kind));
}

function serviceSteps({ state, kept, keepers }: PlannedOwner, world: SwarmWorld): SwarmStep[] {
  const { owner } = state;
  const there = new Set(world.files.map(({ name }) => name));
  const writing = kept.filter(isWritten);
  const files = new Map(
    writing.flatMap(({ service }) => service.files.map((file) => [file.name, file] as const)),
  );
  return [
    ...[...files.values()]
      .filter(({ name }) => !there.has(name))
      .map((file) => ({ kind: 'createFile' as const, owner, file })),
    ...writing.map(({ live, service: { spec, logins }, drift, vain }): SwarmStep =>
      live === undefined
        ? { kind: 'createService', owner, spec, logins }
        : {
            kind: 'updateService',
            owner,
            id: live.id,
            version: live.version,
            spec: vain === undefined ? spec : begunAnew(spec, vain),
            logins,
            why: [...drift, ...(vain === undefined ? [] : [WAITS_IN_VAIN])].join(', '),
          },
    ),
    ...keepers.flatMap(({ steps }) => steps),
  ];
}

/** Services that the owner no longer wants, and jobs that are to run anew. */
function dropSteps(
  { state, resources, held, kept, conflict }: PlannedOwner,
  world: SwarmWorld,
): SwarmStep[] {
  if (conflict !== undefined) return [];
  const wanted = new Set([
    ...resources.map(keyOf),
    ...held.map(({ key }) => key),
    // What stands in for one.
    ...kept.map(({ key }) => key),
  ]);
  const unwanted = world.services
    .filter(({ owner, key }) => owner === state.owner && !wanted.has(key))
    .map(({ id, key, owner }) => ({
      kind: 'removeService' as const,
      owner,
      id,
      why: `${key} is not wanted`,
    }));
  const over = kept.flatMap((each) =>
    each.workload.job === undefined || each.live === undefined || !hasGivenUp(each)
      ? []
      : [
          {
            kind: 'removeService' as const,
            owner: state.owner,
            id: each.live.id,
            why: `${each.key} has failed: Swarm would go on for ever`,
          },
        ],
  );
  const replaced = kept.flatMap(({ workload, live, isAsWanted, key }) =>
    workload.job === undefined || live === undefined || isAsWanted
      ? []
      : [
          {
            kind: 'removeService' as const,
            owner: state.owner,
            id: live.id,
            why: `${key} is another run`,
          },
        ],
  );
  return [...unwanted, ...over, ...replaced];
}

/** One that may fail never is not started again: what it was and said stays. */
function hasGivenUp(kept: Kept): boolean {
  const { Condition } = kept.wanted.TaskTemplate.RestartPolicy;
  const isOver = Condition === 'none' || isCompleted(kept);
  return kept.isAsWanted && !isOver && whyFailed(kept) !== undefined;
}

/** A workload is forgotten when its service is gone: until then its record says whose it is. */
function forgetSteps({ state, plan }: PlannedOwner, world: SwarmWorld): SwarmStep[] {
  return plan
    .filter(
      ({ action, key }) =>
        action === 'delete' && !world.services.some((service) => service.key === key),
    )
    .map(({ key }) => ({ kind: 'forget', owner: state.owner, key }));
}

function fileSteps({ state, kept, conflict }: PlannedOwner, world: SwarmWorld): SwarmStep[] {
  if (conflict !== undefined) return [];
  const used = new Set([
    ...world.services.flatMap(({ files }) => files),
    ...kept.flatMap(({ service }) => service.files.map(({ name }) => name)),
  ]);
  return world.files
    .filter(({ owner, name }) => owner === state.owner && !used.has(name))
    .map((file) => ({ kind: 'removeFile', file }));
}

/** `settled`: traffic goes where it should. */
function ownerStatus(
  planned: PlannedOwner,
  facts: TrafficFacts & { claims: readonly SwarmClaim[] },
  settled: boolean,
): { status: OwnerStatus; wakeAt?: number } {
  const { state, resources, plan, held, keepers, conflict } = planned;
  const { owner, release } = state;
  const services = new Map(keepers.map(({ key, status }) => [key, status]));
  const told = [...plan, ...repairs(planned)];
  const failures = [...services.values()].flatMap(({ failure }) => failure ?? []);
  const wakes = [...services.values()].flatMap(({ wakeAt }) => wakeAt ?? []);
  const statuses = resources.map((resource): ResourceStatus => {
    const key = keyOf(resource);
    if (isClaim(resource)) return claimStatus(resource, facts.claims);
    const nothing = { key, health: { status: 'Healthy' as const, reason: '' }, summary: '' };
    const ofService = services.get(key)?.status;
    if (ofService === undefined) return trafficStatus(resource, facts) ?? nothing;
    const wish = state.rebalance?.find((each) => each.resource === key);
    return withWish(ofService, wish, keptIn([planned], owner, key));
  });
  const failure = conflict ?? failures[0] ?? uselessSecretOf(resources, facts);
  return {
    status: {
      owner,
      release,
      plan: told,
      held,
      resources: statuses,
      serving:
        failure === undefined &&
        told.length === 0 &&
        settled &&
        statuses.every(({ key, health }) => health.status === 'Healthy' || isOnItsOwn(key)),
      ...(failure === undefined ? {} : { failure }),
    },
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

/**
 * What an Ingress lacks is a certificate that is on its way, or will be asked for, and what a CronJob's last Job came to says
 * nothing of what is released now.
 */
function isOnItsOwn(key: ResourceKey): boolean {
  return key.startsWith('Ingress/') || key.startsWith('CronJob/');
}

/** What is to be put right though git has not changed. */
function repairs({ plan, kept }: PlannedOwner): Change[] {
  const planned = new Set(plan.map(({ key }) => key));
  return kept
    .filter((each) => !planned.has(each.key) && !isOnItsOwn(each.key))
    .filter((each) => each.key !== surgeKey(each.workload))
    .filter((each) => isWritten(each) || each.isRolledBack)
    .map((each) => ({
      action: 'update' as const,
      key: each.key,
      fields: [],
      reason: repairReason(each),
    }));
}

function repairReason({ live, isRolledBack, drift, vain }: Kept): string {
  if (live === undefined) return 'its service is gone';
  if (isRolledBack) return 'Swarm went back to the one before';
  if (drift.includes(`Labels.${MARK.spread}`)) return 'it is spread over the servers anew';
  if (vain !== undefined && drift.length === 0) return WAITS_IN_VAIN;
  return `its service differs: ${drift.join(', ')}`;
}
