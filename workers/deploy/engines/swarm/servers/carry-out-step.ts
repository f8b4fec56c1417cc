import { isDeepStrictEqual } from 'node:util';
import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import {
  CLUSTER_LABEL,
  DRAINED_LABEL,
  GENERATION_LABEL,
  REACH_LABEL,
} from '#core/swarm/servers/labels.ts';
import { withLeft } from '#core/swarm/servers/left-servers.ts';
import type { DeclaredServer, Seen, SeenNode } from '#core/swarm/servers/seen.ts';
import type { ServerStep, StepKind } from '#core/swarm/servers/step.ts';
import { checkPulls } from './check-pulls.ts';
import type { ServersContext } from './context.ts';
import type { NodeAnswer } from './observe-servers.ts';
import { prepareProbes } from './prepare-probes.ts';
import { TASK_LABEL } from '../listed.ts';
import { removeProbes } from '../probes.ts';
import type { ProbesContext } from '../probes.ts';

const LISTEN = '0.0.0.0:2377';
/** Docker itself gives a join 20 s, and then goes on with it. */
const JOIN_MS = 40_000;
const FIRST_GENERATION = 1;

interface SwarmAnswer {
  Version: { Index: number };
  Spec: { Labels?: Record<string, string> | null };
}

/** What is to run, be it as yet nowhere. */
export interface WantedImages {
  images?: readonly string[];
}

interface Work {
  /** Of the step's server. */
  server: Docker;
  /** Of a manager; of the server itself where there is none yet. */
  manager: Docker;
  mark: string;
  /** Labels of what this cluster has on its servers beside Swarm. */
  ours: string;
  now: number;
  probes: Omit<ProbesContext, 'docker'>;
  readCredentials: ReadCredentials;
  wanted: readonly string[];
  signal: AbortSignal;
}

type Executors = { readonly [K in StepKind]: (step: ServerStep<K>, work: Work) => Promise<void> };

const EXECUTORS: Executors = {
  init: ({ declared }, { server, mark, signal }) =>
    post(server, '/swarm/init', signal, {
      body: { ...addresses(declared), Spec: marked(mark, FIRST_GENERATION) },
      timeoutMs: JOIN_MS,
    }),
  join: async ({ declared }, { server, manager, probes, readCredentials, wanted, signal }) => {
    await checkPulls({ server, manager, wanted }, readCredentials, signal);
    await prepareProbes(manager, { docker: server, ...probes }, readCredentials, signal);
    const [{ JoinTokens }, nodes] = await Promise.all([
      get<{ JoinTokens: { Worker: string } }>(manager, '/swarm', signal),
      get<NodeAnswer[]>(manager, '/nodes', signal),
    ]);
    const managers = nodes.flatMap(({ ManagerStatus }) =>
      ManagerStatus?.Reachability === 'reachable' ? [ManagerStatus.Addr] : [],
    );
    const body = { ...addresses(declared), RemoteAddrs: managers, JoinToken: JoinTokens.Worker };
    await post(server, '/swarm/join', signal, { body, timeoutMs: JOIN_MS });
  },
  label: ({ node, labels }, { manager, signal }) =>
    change(manager, node, signal, () => ({ Labels: labels })),
  promote: ({ node }, { manager, signal }) =>
    change(manager, node, signal, () => ({ Role: 'manager' })),
  demote: ({ node }, { manager, signal }) =>
    change(manager, node, signal, () => ({ Role: 'worker' })),
  activate: ({ node }, { manager, signal }) =>
    change(manager, node, signal, () => ({ Availability: 'active' })),
  pause: ({ node }, { manager, signal }) =>
    change(manager, node, signal, () => ({ Availability: 'pause' })),
  drain: ({ node, forGood }, { manager, now, signal }) =>
    change(manager, node, signal, ({ Labels }) => ({
      Availability: 'drain',
      ...(forGood ? { Labels: { ...Labels, [DRAINED_LABEL]: String(now) } } : {}),
    })),
  leave: async (_step, { server, ours, probes, signal }) => {
    await removeContainers(server, ours, signal);
    await post(server, '/swarm/leave', signal, { timeoutMs: JOIN_MS });
    // Docker has removed what was left of tasks, which had it.
    await removeProbes({ docker: server, ...probes }, signal);
  },
  // Forced where it is ready: it cannot be told to leave.
  remove: async ({ server: name, node, isAway }, { manager, now, signal }) => {
    const reach = node.labels[REACH_LABEL];
    // Remembered before: once the node is gone nothing tells of it.
    if (isAway && reach !== undefined)
      await relabel(manager, (labels) => withLeft(labels, { server: name, reach }, now), signal);
    await callDocker<void>(manager, {
      method: 'DELETE',
      path: `/nodes/${node.id}`,
      query: { force: true },
      signal,
    });
  },
  clean: async ({ server: name }, { server, manager, ours, probes, now, signal }) => {
    await removeContainers(server, ours, signal);
    await post(server, '/swarm/leave', signal, { query: { force: true }, timeoutMs: JOIN_MS });
    await removeProbes({ docker: server, ...probes }, signal);
    await relabel(manager, (labels) => withLeft(labels, { server: name }, now), signal);
  },
};

/** Done at the server itself, which no other stands in for. */
const AT_SERVER: ReadonlySet<StepKind> = new Set(['init', 'join', 'leave', 'clean']);

/** Carries one step out. What it did is seen by looking again. */
export async function carryOutStep(
  step: ServerStep,
  seen: Seen & WantedImages,
  { declared, client, mark, ours, place, images, readCredentials }: ServersContext,
  reachOfServer: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const teller = declared.find(({ name }) => name === seen.swarm?.from);
  const reach = reachOfServer ?? (AT_SERVER.has(step.kind) ? undefined : teller?.reach);
  if (reach === undefined) throw new Error(`${step.server} is reached in no way`);
  const server = client(reach);
  const manager = teller === undefined ? server : client(teller.reach);
  const execute = EXECUTORS[step.kind] as (step: ServerStep, work: Work) => Promise<void>;
  const { now, images: wanted = [] } = seen;
  const probes = { ...place, images };
  await execute(step, {
    server,
    manager,
    mark,
    ours,
    now,
    probes,
    readCredentials,
    wanted,
    signal,
  });
}

/** The proxy and the name server: they are on the network of a swarm that the server is in no longer. */
async function removeContainers(server: Docker, ours: string, signal: AbortSignal): Promise<void> {
  const query = { all: true, filters: ours };
  const found = await callDocker<{ Id: string; Labels: Record<string, string> }[]>(server, {
    method: 'GET',
    path: '/containers/json',
    query,
    signal,
  });
  for (const { Id } of found.filter(({ Labels }) => Labels[TASK_LABEL] === undefined))
    await callDocker(server, {
      method: 'DELETE',
      path: `/containers/${Id}`,
      query: { force: true, v: true },
      signal,
    });
}

/**
 * The swarm goes on with this server as its only manager. The network of tasks is made anew there, and what is on it
 * beside them has to follow.
 */
export async function forceNewCluster(
  server: Docker,
  declared: DeclaredServer,
  { mark, ours }: Pick<ServersContext, 'mark' | 'ours'>,
  generation: number,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    ...addresses(declared),
    ForceNewCluster: true,
    Spec: marked(mark, generation),
  };
  let failure: unknown;
  try {
    await post(server, '/swarm/init', signal, { body, timeoutMs: JOIN_MS });
  } catch (error) {
    // Docker may have begun it all the same, and answered too late or not have labelled it.
    failure = error;
  }
  const own = { [GENERATION_LABEL]: String(generation) };
  await relabel(server, (labels) => ({ ...labels, ...own }), signal).catch((error: unknown) => {
    throw failure ?? error;
  });
  await removeContainers(server, ours, signal);
}

/** Writes labels of the swarm where they differ. Throws where there is none with a leader. */
async function relabel(
  manager: Docker,
  to: (labels: Readonly<Record<string, string>>) => Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const { Spec, Version } = await get<SwarmAnswer>(manager, '/swarm', signal);
  const labels = Spec.Labels ?? {};
  const wanted = to(labels);
  if (isDeepStrictEqual(labels, wanted)) return;
  await post(manager, '/swarm/update', signal, {
    query: { version: Version.Index },
    body: { ...Spec, Labels: wanted },
  });
}

function addresses({ advertise }: DeclaredServer): object {
  return { ListenAddr: LISTEN, AdvertiseAddr: advertise };
}

function marked(mark: string, generation: number): object {
  return {
    Name: 'default',
    Labels: { [CLUSTER_LABEL]: mark, [GENERATION_LABEL]: String(generation) },
  };
}

/** Refused by Docker where somebody else has changed the node meanwhile. */
async function change(
  manager: Docker,
  { id }: SeenNode,
  signal: AbortSignal,
  to: (spec: NodeAnswer['Spec']) => Partial<NodeAnswer['Spec']>,
): Promise<void> {
  const { Spec, Version } = await get<NodeAnswer>(manager, `/nodes/${id}`, signal);
  await post(manager, `/nodes/${id}/update`, signal, {
    query: { version: Version.Index },
    body: { ...Spec, ...to(Spec) },
  });
}

function get<T>(docker: Docker, path: string, signal: AbortSignal): Promise<T> {
  return callDocker<T>(docker, { method: 'GET', path, signal });
}

async function post(
  docker: Docker,
  path: string,
  signal: AbortSignal,
  request: {
    body?: unknown;
    query?: Record<string, string | number | boolean>;
    timeoutMs?: number;
  },
): Promise<void> {
  await callDocker(docker, { method: 'POST', path, signal, ...request });
}
