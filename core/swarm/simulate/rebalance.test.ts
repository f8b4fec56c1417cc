import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRebalance } from '#core/swarm/simulate/rebalance.ts';
import type { Fleet, FleetService } from '#core/swarm/simulate/fleet.ts';
import { broken, fleets } from './testing/any-fleet.ts';
import { BOSS, GIB, node, service, tasks } from './testing/build-fleet.ts';

const RUNS = Number(process.env['RUNS'] ?? 500);
const OURS = { owner: 'shop/here' };

function fleetOf(of: Partial<FleetService>, ...on: string[]): Fleet {
  const zones = { s1: 'a', s2: 'b', s3: 'b' };
  const nodes = Object.entries(zones).map(([name, zone]) => node(name, { labels: { zone } }));
  return { nodes: [BOSS, ...nodes], services: [service('web', of)], tasks: tasks('web', ...on) };
}

describe('planRebalance', () => {
  it.each([
    ['one server that came back', ['s1', 's1', 's2', 's2'], 1, { s1: 1, s2: 2, s3: 1 }],
    ['all on one', ['s1', 's1', 's1', 's1', 's1', 's1'], 4, { s1: 2, s2: 2, s3: 2 }],
  ])('moves no more than is on the wrong server: %s', (_what, on, surplus, after) => {
    expect(planRebalance(fleetOf(OURS, ...on))).toMatchObject([
      { service: 'web', owner: 'shop/here', surplus, after },
    ]);
  });

  it.each([
    ['is even', OURS, ['s1', 's2', 's2', 's3']],
    ['is not ours', {}, ['s1', 's1', 's1']],
    ['belongs on every server', { ...OURS, kind: 'global' as const }, ['s1', 's1']],
    ['may run there alone', { ...OURS, constraints: ['node.hostname==s1'] }, ['s1', 's1', 's1']],
    [
      'is even over what it is spread over',
      { ...OURS, spreads: ['node.labels.zone'] },
      ['s1', 's1', 's1', 's2', 's2', 's3'],
    ],
    ['has no room elsewhere', { ...OURS, mostPerNode: 1 }, ['s1', 's1']],
  ])('leaves alone what %s', (_what, of, on) => {
    const fleet = fleetOf(of, ...on);
    if ('mostPerNode' in of) fleet.nodes = fleet.nodes.filter(({ server }) => server === 's1');
    expect(planRebalance(fleet)).toEqual([]);
  });

  it('leaves alone what waits for a server', () => {
    const fleet = fleetOf(OURS, 's1', 's1', 's1');
    const waiting = { service: 'id-web', slot: '4', node: '', isWanted: true };
    fleet.tasks = [...fleet.tasks, waiting];
    expect(planRebalance(fleet)).toEqual([]);
  });

  it('moves no more at once than there is room for', () => {
    const reserves = { nanoCpus: 0, memoryBytes: GIB };
    const fleet = fleetOf({ ...OURS, reserves }, 's1', 's1', 's1', 's1');
    fleet.nodes = fleet.nodes.map((each) => ({
      ...each,
      capacity: { ...each.capacity, memoryBytes: each.server === 's1' ? 8 * GIB : GIB },
    }));
    expect(planRebalance(fleet)).toMatchObject([
      { surplus: 2, before: { s1: 4 }, after: { s1: 2, s2: 1, s3: 1 } },
    ]);
  });
});

describe('planRebalance of any fleet', () => {
  function holds(check: (before: Fleet, after: Fleet) => void): void {
    const property = fc.property(fleets, ({ fleet }) => {
      const ours = fleet.services.map((each) => ({ ...each, ...OURS }));
      check({ ...fleet, services: ours }, rebalanced({ ...fleet, services: ours }));
    });
    fc.assert(property, { numRuns: RUNS });
  }

  it('keeps the number of tasks, and puts none where it may not be', () => {
    holds((before, after) => {
      expect(after.tasks).toHaveLength(before.tasks.length);
      expect(broken(after)).toEqual([]);
    });
  });

  it('is done once, or in a few steps where there is little room', () => {
    holds((_before, after) => {
      let fleet = after;
      for (let step = 0; step < 5 && planRebalance(fleet).length > 0; step += 1)
        fleet = rebalanced(fleet);
      expect(planRebalance(fleet)).toEqual([]);
    });
  });
});

/** The fleet as the plan says that it is then. */
function rebalanced(fleet: Fleet): Fleet {
  const plan = planRebalance(fleet);
  const named = new Set(plan.map((each) => `id-${each.service}`));
  const others = fleet.tasks.filter((task) => !named.has(task.service));
  const moved = plan.flatMap((each) =>
    tasks(
      each.service,
      ...Object.entries(each.after).flatMap(([at, n]) => Array<string>(n).fill(at)),
    ),
  );
  return { ...fleet, tasks: [...others, ...moved] };
}
