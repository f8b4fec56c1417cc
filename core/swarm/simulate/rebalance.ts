import type { OwnerKey } from '#core/owner.ts';
import { attributeOf } from './fits.ts';
import { createBoard } from './board.ts';
import type { Board } from './board.ts';
import type { Fleet, FleetNode, FleetService } from './fleet.ts';

/** A service that servers have unevenly, and how they would have it. An estimate, as of a loss. */
export interface Uneven {
  /** Key of the resource, e.g. `Deployment/default/web`. */
  service: string;
  owner: OwnerKey;
  /** So many tasks more are begun, where there are fewest; then as many end, where there are most. */
  surplus: number;
  /** Tasks by server, by name. */
  before: Record<string, number>;
  after: Record<string, number>;
}

/**
 * What of ours would be spread anew, by name. Swarm itself moves nothing to a server that came back. It puts tasks that
 * are begun where there are fewest of the service, and ends those of where there are most: with as many more for a while as
 * are on the wrong server, and no others, nothing ends before what comes for it is ready, and nothing else is touched.
 */
export function planRebalance(fleet: Fleet): Uneven[] {
  const servers = new Map(fleet.nodes.map(({ id, server }) => [id, server]));
  let current = fleet;
  return fleet.services
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((service) => {
      const { owner, name, kind, id } = service;
      if (owner === undefined || kind !== 'replicated' || isWaiting(current, service)) return [];
      const before = createBoard(current, current.nodes);
      const found = spread(current, service);
      if (found === undefined) return [];
      current = { ...current, tasks: found.board.tasks() };
      return [
        {
          service: name,
          owner,
          surplus: found.surplus,
          before: byServer(before.countsOf(id), servers),
          after: byServer(found.board.countsOf(id), servers),
        },
      ];
    });
}

/** What cannot be placed as it is takes no more. */
function isWaiting({ tasks }: Fleet, { id }: FleetService): boolean {
  return tasks.some(({ service, isWanted, node }) => service === id && isWanted && node === '');
}

/** With the fewest tasks that make it as even as can be; absent where it is. */
function spread(
  fleet: Fleet,
  service: FleetService,
): { surplus: number; board: Board } | undefined {
  let best: { surplus: number; board: Board } | undefined;
  let least = unevenness(createBoard(fleet, fleet.nodes), fleet.nodes, service);
  for (let surplus = 1; ; surplus += 1) {
    const board = widened(fleet, service, surplus);
    if (board === undefined) return best;
    const uneven = unevenness(board, fleet.nodes, service);
    if (!isLess(uneven, least)) return best;
    least = uneven;
    best = { surplus, board };
  }
}

/** After so many tasks more, and as many less; absent where they fit nowhere. */
function widened(fleet: Fleet, service: FleetService, surplus: number): Board | undefined {
  const board = createBoard(fleet, fleet.nodes);
  for (let count = 0; count < surplus; count += 1)
    if (!('server' in board.place(service, `+${count}`))) return undefined;
  for (let count = 0; count < surplus; count += 1) {
    const counts = board.countsOf(service.id);
    const fullest = [...counts].toSorted(([, one], [, other]) => other - one)[0]?.[0];
    const task = board
      .tasks()
      .find((each) => each.service === service.id && each.node === fullest && each.isWanted);
    if (task !== undefined) board.remove(task);
  }
  return board;
}

/** Of the values of each label that it is spread over, then of servers: the smaller the more even. */
function unevenness(board: Board, nodes: readonly FleetNode[], service: FleetService): number[] {
  const counts = board.countsOf(service.id);
  const levels = service.spreads.map((_, depth) =>
    Map.groupBy(nodes, (node) =>
      JSON.stringify(service.spreads.slice(0, depth + 1).map((each) => attributeOf(node, each))),
    ),
  );
  const groups = [...levels, Map.groupBy(nodes, ({ id }) => id)];
  return groups.map((level) =>
    [...level.values()]
      .map((some) => some.reduce((sum, { id }) => sum + (counts.get(id) ?? 0), 0))
      .reduce((sum, count) => sum + count * count, 0),
  );
}

function isLess(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at !== -1 && (one[at] ?? 0) < (other[at] ?? 0);
}

function byServer(
  counts: ReadonlyMap<string, number>,
  servers: ReadonlyMap<string, string>,
): Record<string, number> {
  const named = [...counts].map(([id, count]) => [servers.get(id) ?? id, count] as const);
  return Object.fromEntries(named.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
