import { UserError } from '#core/errors.ts';
import { consensusOf } from '#core/swarm/servers/quorum.ts';
import { suggestion } from '#core/suggest.ts';
import { byName, createBoard } from './board.ts';
import type { Board, Refusals } from './board.ts';
import type { Amounts, Fleet, FleetNode, FleetService, FleetTask } from './fleet.ts';

/** What would happen if servers were lost. An estimate: where servers are alike, Swarm takes any of them. */
export interface Loss {
  lost: LostServer[];
  quorum: QuorumAfter;
  /** Those that have tasks on what is lost, by name. */
  services: ServiceLoss[];
  /** What is left, by name, as it is then. */
  servers: ServerAfter[];
}

interface LostServer {
  server: string;
  role: 'manager' | 'worker';
  /** It is down as it is: what can be moved has been. */
  isDown: boolean;
  isLeader: boolean;
}

/** Of the managers. Without quorum nothing is moved, and what runs elsewhere goes on. */
interface QuorumAfter {
  managers: number;
  needed: number;
  /** That answer now, and that would then. */
  before: number;
  after: number;
  holds: boolean;
}

interface ServiceLoss {
  /** Key of a resource of ours, e.g. `Deployment/default/web`; of somebody else's its name. */
  service: string;
  owner?: string;
  kind: FleetService['kind'];
  /** Tasks that have a server: all, and those that go on as if nothing had happened. */
  tasks: number;
  unharmed: number;
  moves: Move[];
  /** What Swarm cannot put anywhere. */
  stuck: Stuck[];
}

interface Move {
  slot: string;
  from: string;
  to: string;
}

interface Stuck {
  slot: string;
  from: string;
  /** A reason for each server that is left; none where Swarm moves nothing. */
  why: Refusals;
}

interface ServerAfter {
  server: string;
  tasks: { before: number; after: number };
  /** Not reserved by anything. */
  free: Amounts;
}

/**
 * Asks the scheduler's rules of what runs now.
 *
 * @throws UserError `not-found` where there is no such server, `invalid-input` where none is named
 */
export function simulateLoss(fleet: Fleet, servers: readonly string[]): Loss {
  const names = new Set(servers);
  checkNames(fleet.nodes, [...names]);
  const lost = fleet.nodes.filter(({ server }) => names.has(server)).toSorted(byName);
  const left = fleet.nodes.filter((node) => !lost.includes(node)).toSorted(byName);
  const quorum = quorumAfter(fleet.nodes, lost);
  const board = createBoard(fleet, left);
  const before = createBoard(fleet, left);
  return {
    lost: lost.map(({ server, role, state, raft }) => ({
      server,
      role,
      isDown: state !== 'ready',
      isLeader: raft?.isLeader === true,
    })),
    quorum,
    services: fleet.services
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap((service) => loseService(service, { fleet, lost, board, moves: quorum.holds })),
    servers: left.map((node) => ({
      server: node.server,
      tasks: { before: tasksOn(before, node), after: tasksOn(board, node) },
      free: board.free(node.id),
    })),
  };
}

function checkNames(nodes: readonly FleetNode[], names: readonly string[]): void {
  if (names.length === 0) throw new UserError('invalid-input', 'no server is named');
  const known = nodes.map(({ server }) => server);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new UserError('not-found', `the swarm has no server ${unknown}`, {
    hint: suggestion(unknown, known) ?? `there are: ${known.toSorted().join(', ')}`,
  });
}

function quorumAfter(nodes: readonly FleetNode[], lost: readonly FleetNode[]): QuorumAfter {
  const after = nodes.map((node) =>
    node.raft === undefined || !lost.includes(node)
      ? node
      : { ...node, raft: { ...node.raft, isReachable: false } },
  );
  const { members, reachable, hasQuorum } = consensusOf(after);
  return {
    managers: members.length,
    needed: Math.floor(members.length / 2) + 1,
    before: consensusOf(nodes).reachable.length,
    after: reachable.length,
    holds: hasQuorum,
  };
}

interface Losing {
  fleet: Fleet;
  lost: readonly FleetNode[];
  board: Board;
  /** There is a manager that can. */
  moves: boolean;
}

/** A global service has no task without its server: nothing of it moves, and nothing is missing. */
function loseService(service: FleetService, { fleet, lost, board, moves }: Losing): ServiceLoss[] {
  const servers = new Map(lost.map(({ id, server }) => [id, server]));
  const wanted = fleet.tasks.filter(
    (task) => task.service === service.id && task.isWanted && task.node !== '',
  );
  const harmed = wanted.filter(({ node }) => servers.has(node)).toSorted(bySlot);
  if (harmed.length === 0) return [];
  const result: ServiceLoss = {
    service: service.name,
    ...(service.owner === undefined ? {} : { owner: service.owner }),
    kind: service.kind,
    tasks: wanted.length,
    unharmed: wanted.length - harmed.length,
    moves: [],
    stuck: [],
  };
  if (service.kind === 'global') return [result];
  for (const { slot, node } of harmed) {
    const from = servers.get(node) ?? '';
    const placed = moves ? board.place(service, slot) : [];
    if ('server' in placed) result.moves.push({ slot, from, to: placed.server });
    else result.stuck.push({ slot, from, why: placed });
  }
  return [result];
}

function bySlot(one: FleetTask, other: FleetTask): number {
  return Number(one.slot) - Number(other.slot);
}

function tasksOn(board: Board, { id }: FleetNode): number {
  return board.tasks().filter(({ node, isWanted }) => node === id && isWanted).length;
}
