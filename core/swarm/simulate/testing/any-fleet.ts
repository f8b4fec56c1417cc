import fc from 'fast-check';
import type { Fleet, FleetTask } from '#core/swarm/simulate/fleet.ts';
import { BOSS, GIB, node, service, taskOn } from './build-fleet.ts';

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5'];
const SIZES = [0, GIB / 2, GIB, 2 * GIB];
const serviceShape = fc.record({
  memory: fc.constantFrom(...SIZES),
  constraint: fc.constantFrom('', 'node.labels.zone==a', 'node.labels.zone!=a'),
  spread: fc.boolean(),
  port: fc.boolean(),
  most: fc.constantFrom(0, 0, 1, 2),
  on: fc.array(fc.constantFrom(...NAMES), { maxLength: 6 }),
});

/** What it runs is what the scheduler could have put there. */
export const fleets = fc
  .record({
    zones: fc.array(fc.constantFrom('a', 'b'), { minLength: 5, maxLength: 5 }),
    shapes: fc.array(serviceShape, { maxLength: 4 }),
    lose: fc.subarray(NAMES, { minLength: 1, maxLength: 4 }),
  })
  .map(({ zones, shapes, lose }) => {
    const workers = NAMES.map((name, index) =>
      node(name, { labels: { zone: zones[index] ?? '' } }),
    );
    const nodes = [BOSS, ...workers];
    const services = shapes.map((shape, index) =>
      service(`s${index}`, {
        reserves: { nanoCpus: 0, memoryBytes: shape.memory },
        constraints: shape.constraint === '' ? [] : [shape.constraint],
        spreads: shape.spread ? ['node.labels.zone'] : [],
        hostPorts: shape.port ? [`tcp/${8_000 + (index % 2)}`] : [],
        mostPerNode: shape.most,
      }),
    );
    const all: FleetTask[] = [];
    for (const [index, shape] of shapes.entries())
      for (const [slot, server] of shape.on.entries()) {
        const task = taskOn(`s${index}`, String(slot + 1), `id-${server}`);
        const next = [...all, task];
        if (broken({ nodes, services, tasks: next }).length === 0) all.push(task);
      }
    return { fleet: { nodes, services, tasks: all }, lose };
  });

/** Everything on a node that may not be there, said in words of its own. */
export function broken({ nodes, services, tasks: all }: Fleet): string[] {
  return nodes.flatMap((at) => {
    const here = all.filter((task) => task.node === at.id);
    const of = here.map((task) => services.find(({ id }) => id === task.service) ?? service('?'));
    const memory = of.reduce((sum, each) => sum + each.reserves.memoryBytes, 0);
    const ports = of.flatMap(({ hostPorts }) => hostPorts);
    return [
      ...(memory > at.capacity.memoryBytes ? [`${at.server}: memory`] : []),
      ...(new Set(ports).size < ports.length ? [`${at.server}: port`] : []),
      ...of.flatMap((each) => {
        const [constraint = ''] = each.constraints;
        const isA = at.labels['zone'] === 'a';
        const wrong = constraint.includes('!=') ? isA : constraint !== '' && !isA;
        const count = of.filter(({ id }) => id === each.id).length;
        const isMany = each.mostPerNode > 0 && count > each.mostPerNode;
        return [...(wrong ? ['constraint'] : []), ...(isMany ? ['most'] : [])];
      }),
    ];
  });
}
