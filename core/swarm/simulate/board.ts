import { attributeOf, whyNotOn } from './fits.ts';
import type { Room } from './fits.ts';
import type { Amounts, Fleet, FleetNode, FleetService, FleetTask } from './fleet.ts';

/** Why a task can be put on no server, one reason for each that is there. */
export type Refusals = readonly { server: string; why: string }[];

/** A fleet on which tasks are put as Swarm's scheduler puts them. It is changed by what is done. */
export interface Board {
  /** Puts a task of the service where the scheduler would; answers where, or why nowhere. */
  place(service: FleetService, slot: string): FleetNode | Refusals;
  remove(task: FleetTask): void;
  /** Tasks of the service that are to run, by node. */
  countsOf(service: string): ReadonlyMap<string, number>;
  tasks(): readonly FleetTask[];
  free(node: string): Amounts;
}

/** Of these nodes; tasks that are on none of them are left out. Of nodes that are alike the first by name is taken. */
export function createBoard(fleet: Fleet, some: readonly FleetNode[]): Board {
  const nodes = some.toSorted(byName);
  const services = new Map(fleet.services.map((service) => [service.id, service]));
  const places = new Set(nodes.map(({ id }) => id));
  let tasks = fleet.tasks.filter(({ node }) => places.has(node));

  function on(node: string): FleetTask[] {
    return tasks.filter((task) => task.node === node);
  }

  function free(id: string): Amounts {
    const node = nodes.find((each) => each.id === id);
    const left = { ...(node?.capacity ?? { nanoCpus: 0, memoryBytes: 0 }) };
    for (const { service } of on(id)) {
      const { nanoCpus, memoryBytes } = services.get(service)?.reserves ?? NOTHING;
      left.nanoCpus -= nanoCpus;
      left.memoryBytes -= memoryBytes;
    }
    return left;
  }

  function roomOn({ id }: FleetNode, service: FleetService): Room {
    return {
      free: free(id),
      ports: new Set(on(id).flatMap((task) => services.get(task.service)?.hostPorts ?? [])),
      ofService: countsOf(service.id).get(id) ?? 0,
    };
  }

  function countsOf(service: string): Map<string, number> {
    const counts = new Map<string, number>();
    for (const task of tasks)
      if (task.service === service && task.isWanted)
        counts.set(task.node, (counts.get(task.node) ?? 0) + 1);
    return counts;
  }

  /** The values of each label are kept even; then the node with fewest of the service, then with fewest at all. */
  function choose(service: FleetService, fitting: readonly FleetNode[]): FleetNode | undefined {
    const counts = countsOf(service.id);
    let [branch, candidates] = [nodes, fitting];
    for (const attribute of service.spreads) {
      const values = Map.groupBy(branch, (node) => attributeOf(node, attribute));
      const open = new Set(candidates.map((node) => attributeOf(node, attribute)));
      const [least] = [...values]
        .filter(([value]) => open.has(value))
        .toSorted(([, one], [, other]) => sumOf(one, counts) - sumOf(other, counts));
      branch = least?.[1] ?? [];
      candidates = candidates.filter((node) => branch.includes(node));
    }
    return candidates.toSorted(
      (one, other) =>
        (counts.get(one.id) ?? 0) - (counts.get(other.id) ?? 0) || wantedOn(one) - wantedOn(other),
    )[0];
  }

  function wantedOn({ id }: FleetNode): number {
    return on(id).filter(({ isWanted }) => isWanted).length;
  }

  return {
    place(service, slot) {
      const asked = nodes.map((node) => ({
        node,
        why: whyNotOn(node, service, roomOn(node, service)),
      }));
      const fitting = asked.flatMap(({ node, why }) => (why === undefined ? [node] : []));
      const chosen = choose(service, fitting);
      if (chosen === undefined)
        return asked.map(({ node, why = '' }) => ({ server: node.server, why }));
      tasks = [...tasks, { service: service.id, slot, node: chosen.id, isWanted: true }];
      return chosen;
    },
    remove(task) {
      tasks = tasks.filter((each) => each !== task);
    },
    countsOf,
    tasks: () => tasks,
    free,
  };
}

function sumOf(nodes: readonly FleetNode[], counts: ReadonlyMap<string, number>): number {
  return nodes.reduce((sum, { id }) => sum + (counts.get(id) ?? 0), 0);
}

const NOTHING: Amounts = { nanoCpus: 0, memoryBytes: 0 };

export function byName(one: { server: string }, other: { server: string }): number {
  return one.server.localeCompare(other.server, 'en', { numeric: true });
}
