import { callDocker } from '#adapters/docker/call.ts';
import { ordersOf } from '#core/docker/acme.ts';
import { autoscalersIn, targetOf } from '#core/docker/keep-autoscalers.ts';
import { ingressesIn } from '#core/docker/ingress-routes.ts';
import type { HostPort } from '#core/docker/host-ports.ts';
import { hasBegun } from '#core/docker/post-start.ts';
import type { LiveContainer, LivePod, ProbeState, World } from '#core/docker/world.ts';
import { readClaims } from './claims.ts';
import { labelsOf } from './containers.ts';
import { findDrift, parseMade } from './drift.ts';
import type { DockerContext } from './context.ts';
import type { ReadKept } from './certificate-orders.ts';
import type { EngineState } from './engine-state.ts';
import { initRole } from './end-containers.ts';
import { isStartedSince, nameOf, timeOf } from './inspected.ts';
import type { InspectedContainer, ListedContainer } from './inspected.ts';
import { filterOurs, LABEL } from './marks.ts';
import { parseDeletingName, podKey } from './names.ts';
import type { NetworkLayout } from './subnets.ts';
import type { ClusterNetwork } from './network.ts';
import type { NotedTimes } from './noted-times.ts';
import { onHost, podAddress } from './pod-address.ts';
import { RESTART_FAILED, RESTART_NEVER } from './pod-config.ts';
import { probeKey, probesOf, probeTarget } from './probe-target.ts';
import type { Probed } from './prober.ts';
import { newestRecords, readRecords } from './records.ts';
import type { ListedVolume, StoredRecord } from './records.ts';
import type { SystemState } from './system-pod.ts';

/** What the kubelet gives a pod that it evicts. */
const EVICTION_SECONDS = 1;
const PARTS = new Set(['sandbox', 'container']);

/** The world, and what only the doing needs of it. */
export interface Observed {
  world: World;
  stored: StoredRecord[];
  /** Pods of which only parts are left, without a sandbox. */
  strays: { name: string; namespace: string }[];
  /** NodePorts that another program of the host has. */
  taken?: SystemState['taken'];
}

/** Everything this installation has on the host, as Docker lists it. */
export interface Listing {
  volumes: readonly ListedVolume[];
  containers: readonly ListedContainer[];
}

export async function listOurs(context: DockerContext, signal: AbortSignal): Promise<Listing> {
  const filters = filterOurs(context);
  const [volumes, containers] = await Promise.all([
    callDocker<{ Volumes: ListedVolume[] | null }>(context.docker, {
      method: 'GET',
      path: '/volumes',
      query: { filters },
      signal,
    }),
    callDocker<ListedContainer[]>(context.docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters },
      signal,
    }),
  ]);
  return { volumes: volumes.Volumes ?? [], containers };
}

/** Looks closer at what is listed. */
export async function observe(
  state: EngineState,
  layout: NetworkLayout & { name?: string },
  { volumes, containers: listed }: Listing,
  signal: AbortSignal,
): Promise<Observed> {
  const { context } = state;
  const inspected = await state.inspections.inspectAll(listed, signal);
  const ids = new Set(inspected.map(({ Id }) => Id));
  state.volumeHashes.keepOnly(ids);
  state.endings.keepOnly(ids);
  state.restarts.keepOnly(ids);
  state.hooks.keepOnly(ids);
  const system = inspected.filter((container) => !PARTS.has(labelsOf(container)[LABEL.role] ?? ''));
  const { sandboxId, taken, ...running } = await state.system.observe(system, signal);
  const served = await state.served(() => state.system.servedPods(system, signal));
  const created = new Map(listed.map(({ Id, Created }) => [Id, Created * 1_000]));
  const groups = groupByPod(
    inspected.filter((container) => PARTS.has(labelsOf(container)[LABEL.role] ?? '')),
  );
  const { name = '', gateway } = layout;
  const scope = { state, network: { name, gateway }, created, signal };
  const whole = groups.flatMap(({ sandbox, containers }) =>
    sandbox === undefined ? [] : [{ sandbox, containers }],
  );
  const pods = await Promise.all(whole.map((group) => readPod(group, scope)));
  state.shell.use(sandboxId);
  state.prober.setTargets(
    whole.flatMap((group, index) => probeTargets(group, pods[index], served)),
  );
  state.evictions.setTargets(whole.map(({ sandbox }) => sandbox));
  const stored = readRecords(context, volumes);
  const records = newestRecords(stored);
  const scaled = new Set(autoscalersIn(records.map(({ resource }) => resource)).map(targetOf));
  state.usage.setTargets(
    whole
      .filter(({ sandbox }) => scaled.has(labelsOf(sandbox)[LABEL.resource] ?? ''))
      .flatMap(({ containers }) => containers),
  );
  const usage = state.usage.last();
  const { certificateOrders } = state;
  const orders = ordersOf(ingressesIn(records), certificateOrders, records);
  return {
    world: {
      records,
      claims: readClaims(context, volumes),
      acme: await certificateOrders.look(orders, readerOf(state, system), signal),
      pods: state.readiness.follow(pods.map((pod, index) => withProbes(pod, whole[index], state))),
      ...running,
      ...(usage === undefined ? {} : { usage }),
      autoscalers: state.autoscalers,
      ...(taken === undefined ? {} : { takenPorts: taken.ports.map(({ port }) => port) }),
      serviceRange: layout.serviceRange,
      nameServer: layout.systemIp,
      ingressPorts: state.ingressPorts,
      headerKb: state.headerKb,
    },
    stored,
    ...(taken === undefined ? {} : { taken }),
    strays: findStrays(groups, volumes),
  };
}

/** By one that has the system's files, running or not. */
function readerOf(
  { files }: EngineState,
  system: readonly InspectedContainer[],
): ReadKept | undefined {
  const [found] = ['proxy-sandbox', 'edge'].flatMap((role) =>
    system.filter((container) => labelsOf(container)[LABEL.role] === role),
  );
  if (found === undefined) return undefined;
  return (name, signal) => files.read(found.Id, 'edge', name, signal);
}

/** What a hand or a crash left: containers without a sandbox, volumes without a container. */
function findStrays(
  groups: readonly Group[],
  volumes: readonly ListedVolume[],
): { name: string; namespace: string }[] {
  const parts = groups.flatMap(({ sandbox, containers: [first] }) =>
    sandbox === undefined && first !== undefined ? [podOf(labelsOf(first))] : [],
  );
  const known = new Set(
    groups.flatMap(({ sandbox, containers }) =>
      [sandbox, ...containers].flatMap((part) =>
        part === undefined ? [] : [podKey(podOf(labelsOf(part)))],
      ),
    ),
  );
  const held = volumes
    .filter(({ Labels }) => Labels?.[LABEL.role] === 'volume')
    .map(({ Labels }) => podOf(Labels ?? {}))
    .filter((pod) => !known.has(podKey(pod)));
  return [...new Map([...parts, ...held].map((pod) => [podKey(pod), pod])).values()];
}

interface Group {
  sandbox?: InspectedContainer;
  containers: InspectedContainer[];
}

interface WholeGroup extends Group {
  sandbox: InspectedContainer;
}

function groupByPod(parts: readonly InspectedContainer[]): Group[] {
  const groups = new Map<string, Group>();
  for (const part of parts) {
    const key = podKey(podOf(labelsOf(part)));
    const group = groups.get(key) ?? { containers: [] };
    if (labelsOf(part)[LABEL.role] === 'sandbox') group.sandbox = part;
    else group.containers.push(part);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function podOf(labels: Record<string, string>): { name: string; namespace: string } {
  return { name: labels[LABEL.pod] ?? '', namespace: labels[LABEL.namespace] ?? '' };
}

function publishedAs(published = ''): Pick<LivePod, 'published'> {
  return published === '' ? {} : { published };
}

interface Scope {
  state: EngineState;
  network: Pick<ClusterNetwork, 'name' | 'gateway'>;
  created: ReadonlyMap<string, number>;
  signal: AbortSignal;
}

async function readPod({ sandbox, containers }: WholeGroup, scope: Scope): Promise<LivePod> {
  const { state, network, created, signal } = scope;
  const labels = labelsOf(sandbox);
  const pod = podOf(labels);
  const since =
    parseDeletingName(nameOf({ Names: [sandbox.Name] })).since ?? state.terminations.markedAt(pod);
  const ip = podAddress(sandbox, network) ?? '';
  const problem = state.problems.of(podKey(pod));
  const evicted = state.evictions.of(sandbox.Id);
  const graceSeconds = Number(labels[LABEL.graceSeconds] ?? 0);
  const live = await Promise.all(
    containers.map(
      async (container) =>
        [
          labelsOf(container)[LABEL.container] ?? '',
          await readContainer(container, sandbox, scope),
        ] as const,
    ),
  );
  const hasFiles = (labels[LABEL.fileVolumes] ?? '') !== '' && since === undefined;
  return {
    ...pod,
    keeper: labels[LABEL.resource] ?? '',
    owner: labels[LABEL.owner] ?? '',
    labels: JSON.parse(labels[LABEL.podLabels] ?? '{}') as Record<string, string>,
    templateHash: labels[LABEL.templateHash] ?? '',
    graceSeconds: evicted === undefined ? graceSeconds : Math.min(graceSeconds, EVICTION_SECONDS),
    ports: JSON.parse(labels[LABEL.ports] ?? '{}') as Record<string, number>,
    ...publishedAs(labels[LABEL.published]),
    createdAt: state.times.of(created.get(sandbox.Id) ?? 0),
    hostPorts: JSON.parse(labels[LABEL.hostPorts] ?? '[]') as HostPort[],
    ...(ip === '' || sandbox.State.Status !== 'running' ? {} : { ip }),
    sandbox: await readContainer(sandbox, sandbox, scope),
    containers: Object.fromEntries(live),
    volumeHashes: hasFiles ? await state.volumeHashes.of(sandbox, signal) : {},
    probes: {},
    ...(since === undefined ? {} : { deletingSince: state.times.of(since) }),
    ...(problem === undefined ? {} : { problem }),
    ...(evicted === undefined ? {} : { evicted }),
  };
}

async function readContainer(
  container: InspectedContainer,
  sandbox: InspectedContainer,
  { state, signal }: Scope,
): Promise<LiveContainer> {
  const { Id, State } = container;
  const made = parseMade(labelsOf(container)[LABEL.made]);
  const isSandbox = Id === sandbox.Id;
  const init = initRole(labelsOf(container));
  const ending = isSandbox ? undefined : await state.endings.of(container, signal);
  const postStart = isSandbox ? undefined : await state.hooks.postStartOf(container, signal);
  const life = isSandbox ? { restarts: 0 } : await state.restarts.of(container, signal);
  return {
    id: Id,
    state: State.Status as LiveContainer['state'],
    startedAt: state.times.of(timeOf(State.StartedAt)),
    finishedAt: state.times.of(timeOf(State.FinishedAt)),
    exitCode: ending?.exitCode ?? State.ExitCode,
    oomKilled: ending?.oomKilled ?? State.OOMKilled,
    ...life,
    drift: made === undefined ? ['its labels were lost'] : findDrift(made, container),
    joined:
      isSandbox ||
      (container.HostConfig.NetworkMode === `container:${sandbox.Id}` &&
        isStartedSince(container, sandbox)),
    ...(postStart === undefined
      ? {}
      : { postStart: { ...postStart, at: state.times.of(postStart.at) } }),
    ...(ending === undefined ? {} : { lastLog: ending.lastLog }),
    ...(ending?.lastWords === undefined ? {} : { lastWords: ending.lastWords }),
    ...(init === undefined ? {} : { init }),
    ...restartOf(made?.restart),
  };
}

/** In the words of Kubernetes. */
function restartOf(policy: string | undefined): Pick<LiveContainer, 'restart'> {
  if (policy === RESTART_NEVER) return { restart: 'Never' };
  return policy === RESTART_FAILED ? { restart: 'OnFailure' } : {};
}

function probeTargets(
  { sandbox, containers }: WholeGroup,
  pod: LivePod | undefined,
  served: ReadonlySet<string>,
): Probed[] {
  if (pod?.ip === undefined || pod.deletingSince !== undefined) return [];
  const target = {
    address: pod.ip,
    served: served.has(pod.name) || served.has(pod.ip),
    ...onHost(sandbox),
  };
  return containers.flatMap((container) => {
    const live = pod.containers[labelsOf(container)[LABEL.container] ?? ''];
    const isUp = live?.state === 'running' && live.joined && hasBegun(live);
    return isUp ? (probeTarget(container, { ...target, startedAt: live.startedAt }) ?? []) : [];
  });
}

function withProbes(
  pod: LivePod,
  group: Group | undefined,
  { prober, times }: EngineState,
): LivePod {
  const probed = (group?.containers ?? []).flatMap((container) => {
    const probes = probesOf(container);
    if (Object.keys(probes).length === 0) return [];
    const startedAt = times.of(timeOf(container.State.StartedAt));
    const { startup, readiness, ...failed } = prober.stateOf(
      probeKey(container),
      probes,
      startedAt,
    );
    const state = {
      ...failed,
      ...(startup === undefined ? {} : { startup: inTime(startup, times) }),
      ...(readiness === undefined ? {} : { readiness: inTime(readiness, times) }),
    };
    return [[labelsOf(container)[LABEL.container] ?? '', state] as const];
  });
  return { ...pod, probes: Object.fromEntries(probed) };
}

/** It may have been probed before the clock was set back. */
function inTime(state: ProbeState, times: NotedTimes): ProbeState {
  return { ...state, since: times.of(state.since) };
}
