import pMap from 'p-map';
import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import {
  CLUSTER_LABEL,
  GENERATION_LABEL,
  REACH_LABEL,
  SERVER_LABEL,
} from '#core/swarm/servers/labels.ts';
import { leftServers } from '#core/swarm/servers/left-servers.ts';
import { consensusOf } from '#core/swarm/servers/quorum.ts';
import type {
  Seen,
  SeenEngine,
  SeenNode,
  SeenServer,
  SeenSwarm,
} from '#core/swarm/servers/seen.ts';
import { ANSWER_MS } from './ask-servers.ts';
import type { Answer, Asker, InfoAnswer } from './ask-servers.ts';
import type { ServersContext } from './context.ts';

const ASKED_AT_ONCE = 8;
const ALIVE = new Set(['assigned', 'accepted', 'preparing', 'ready', 'starting', 'running']);
const AT_HOME = new Set(['running', 'complete']);
const MEMBERSHIPS: Readonly<Record<string, SeenEngine['membership']>> = {
  inactive: 'out',
  pending: 'joining',
  active: 'in',
  error: 'broken',
  locked: 'locked',
};

export interface NodeAnswer {
  ID: string;
  Version: { Index: number };
  UpdatedAt: string;
  Spec: {
    Role: 'manager' | 'worker';
    Availability: 'active' | 'pause' | 'drain';
    Labels?: Record<string, string> | null;
  };
  Description?: { Hostname?: string; Engine?: { EngineVersion?: string } };
  Status: { State: SeenNode['state']; Addr?: string };
  ManagerStatus?: { Leader?: boolean; Reachability: string; Addr: string };
}

export interface TaskAnswer {
  NodeID?: string;
  DesiredState: string;
  Status: { State: string };
}

type Asked = Answer & { name: string };

/** Since when each server is as it is, by what was told of it before. */
export type Memory = Map<string, { told: string; since: number }>;

/** Asks every server first and a manager then: who is a node by then is in its list. */
export async function observeServers(
  context: ServersContext,
  { asker, memory }: { asker: Asker; memory: Memory },
  signal: AbortSignal,
): Promise<Seen> {
  const asked = await pMap(context.declared, ({ name, reach }) => ask(name, reach, asker, signal), {
    concurrency: ASKED_AT_ONCE,
  });
  const swarm = await seeSwarm(asked, context, signal);
  const others = await askUndeclared(swarm, context, asker, signal);
  const teller = asked.find(({ name }) => name === swarm?.from);
  const now = teller?.info === undefined ? Date.now() : Date.parse(teller.info.SystemTime);
  return {
    now,
    servers: [...asked, ...others].map((one) => seenServer(one, context.mark, memory, now)),
    ...(swarm === undefined ? {} : { swarm }),
  };
}

async function ask(name: string, reach: string, asker: Asker, signal: AbortSignal): Promise<Asked> {
  return { name, ...(await asker.ask(reach, signal)) };
}

/**
 * Servers that are nodes and in no file any more, by what their labels say of how they are reached, and those that were dead
 * when they were taken out. What is reached so under another name is asked already.
 */
async function askUndeclared(
  swarm: SeenSwarm | undefined,
  context: ServersContext,
  asker: Asker,
  signal: AbortSignal,
): Promise<Asked[]> {
  const known = new Set(context.declared.flatMap(({ name, reach }) => [name, reach]));
  const nodes = (swarm?.nodes ?? []).flatMap(({ labels }): [string, string][] => {
    const name = labels[SERVER_LABEL];
    const reach = labels[REACH_LABEL];
    return name === undefined || reach === undefined ? [] : [[name, reach]];
  });
  const others = new Map(
    [...(swarm?.left ?? []), ...nodes].filter(
      ([name, reach]) => !known.has(name) && !known.has(reach),
    ),
  );
  return pMap([...others], ([name, reach]) => ask(name, reach, asker, signal), {
    concurrency: ASKED_AT_ONCE,
  });
}

/** As a manager of this cluster's swarm tells it: of the newest generation, and with quorum where one has it. */
async function seeSwarm(
  asked: readonly Asked[],
  { mark }: ServersContext,
  signal: AbortSignal,
): Promise<SeenSwarm | undefined> {
  const tellers = asked.filter(
    ({ info }) => info?.Swarm.ControlAvailable === true && swarmOf(info, mark)?.isOurs === true,
  );
  const views = await pMap(tellers, (teller) => tell(teller, mark, signal), {
    concurrency: ASKED_AT_ONCE,
  });
  const [best] = views
    .filter((view) => view !== undefined)
    .toSorted((a, b) => b.generation - a.generation || Number(hasQuorum(b)) - Number(hasQuorum(a)));
  return best;
}

function hasQuorum({ nodes }: SeenSwarm): boolean {
  return consensusOf(nodes).hasQuorum;
}

/** Absent where it cannot, as without a leader. */
async function tell(
  { name, docker, info }: Asked,
  mark: string,
  signal: AbortSignal,
): Promise<SeenSwarm | undefined> {
  if (docker === undefined) return undefined;
  try {
    const [nodes, tasks] = await Promise.all([
      get<NodeAnswer[]>(docker, '/nodes', signal),
      get<TaskAnswer[]>(docker, '/tasks', signal),
    ]);
    return {
      from: name,
      generation: swarmOf(info, mark)?.generation ?? 0,
      left: leftServers(
        info?.Swarm.Cluster?.Spec?.Labels ?? {},
        Date.parse(info?.SystemTime ?? ''),
      ),
      nodes: nodes.map((node) => seenNode(node, tasks)),
      waitingTasks: tasks.filter(
        ({ DesiredState, Status }) => DesiredState === 'running' && !AT_HOME.has(Status.State),
      ).length,
    };
  } catch {
    // It is told of as a manager that does not tell; what is wrong is in its info.
    signal.throwIfAborted();
    return undefined;
  }
}

export function seenNode(node: NodeAnswer, tasks: readonly TaskAnswer[]): SeenNode {
  const { Spec, Status, ManagerStatus, Description } = node;
  return {
    id: node.ID,
    hostname: Description?.Hostname ?? '',
    address: Status.Addr ?? '',
    role: Spec.Role,
    availability: Spec.Availability,
    state: Status.State,
    ...(ManagerStatus === undefined
      ? {}
      : {
          raft: {
            isLeader: ManagerStatus.Leader === true,
            isReachable: ManagerStatus.Reachability === 'reachable',
          },
        }),
    labels: Spec.Labels ?? {},
    changedAt: Date.parse(node.UpdatedAt),
    version: Description?.Engine?.EngineVersion ?? '',
    tasks: tasks.filter(({ NodeID, Status: at }) => NodeID === node.ID && ALIVE.has(at.State))
      .length,
  };
}

function seenServer(
  { name, info, problem }: Asked,
  mark: string,
  memory: Memory,
  now: number,
): SeenServer {
  if (info === undefined) {
    memory.delete(name);
    return { name, ...(problem === undefined ? {} : { problem }) };
  }
  const { NodeID, NodeAddr, LocalNodeState, ControlAvailable, RemoteManagers } = info.Swarm;
  const swarm = swarmOf(info, mark);
  const told = [LocalNodeState, NodeID, ControlAvailable, swarm !== undefined].join(' ');
  const before = memory.get(name);
  const since = before?.told === told ? before.since : now;
  memory.set(name, { told, since });
  return {
    name,
    engine: {
      version: info.ServerVersion,
      membership: MEMBERSHIPS[LocalNodeState] ?? 'broken',
      ...(NodeID === '' ? {} : { nodeId: NodeID }),
      ...(NodeAddr === '' ? {} : { address: NodeAddr }),
      isManager: ControlAvailable,
      managers: (RemoteManagers ?? []).map((manager) => manager.NodeID),
      ...(swarm === undefined ? {} : { swarm }),
      since,
      ...(info.Swarm.Error === '' ? {} : { trouble: info.Swarm.Error }),
    },
  };
}

function swarmOf(info: InfoAnswer | undefined, mark: string): SeenEngine['swarm'] {
  const cluster = info?.Swarm.Cluster;
  if (cluster?.ID === undefined || cluster.ID === '') return undefined;
  const labels = cluster.Spec?.Labels ?? {};
  const generation = Number(labels[GENERATION_LABEL] ?? 0);
  return { isOurs: labels[CLUSTER_LABEL] === mark, generation };
}

function get<T>(docker: Docker, path: string, signal: AbortSignal): Promise<T> {
  return callDocker<T>(docker, { method: 'GET', path, signal, timeoutMs: ANSWER_MS });
}
