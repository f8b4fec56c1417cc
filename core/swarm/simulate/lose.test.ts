import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Loss } from '#core/swarm/simulate/lose.ts';
import { simulateLoss } from '#core/swarm/simulate/lose.ts';
import type { Fleet, FleetService } from '#core/swarm/simulate/fleet.ts';
import { BOSS, CPU, GIB, manager, node, service, taskOn, tasks } from './testing/build-fleet.ts';
import { broken, fleets } from './testing/any-fleet.ts';

const RUNS = Number(process.env['RUNS'] ?? 500);
const IDLE = { server: 'm1', why: 'it takes nothing new: drain' };

function threeWith(of: Partial<FleetService>, ...on: string[]): Fleet {
  return {
    nodes: [
      BOSS,
      node('s1', { labels: { zone: 'a' } }),
      node('s2', { labels: { zone: 'a' } }),
      node('s3', { labels: { zone: 'b', disk: 'ssd' } }),
    ],
    services: [service('web', of)],
    tasks: tasks('web', ...on),
  };
}

describe('simulateLoss', () => {
  it('moves tasks to where there are fewest of the service', () => {
    const { services, servers } = simulateLoss(threeWith({}, 's1', 's1', 's2', 's3'), ['s3']);
    expect(services).toEqual([
      {
        service: 'web',
        kind: 'replicated',
        tasks: 4,
        unharmed: 3,
        moves: [{ slot: '4', from: 's3', to: 's2' }],
        stuck: [],
      },
    ]);
    expect(servers.map(({ server, tasks: { before, after } }) => [server, before, after])).toEqual([
      ['m1', 0, 0],
      ['s1', 2, 2],
      ['s2', 1, 2],
    ]);
  });

  it('keeps the values of a label even first', () => {
    const fleet = threeWith({ spreads: ['node.labels.zone'] }, 's1', 's2', 's3');
    fleet.nodes = [...fleet.nodes, node('s4', { labels: { zone: 'b' } })];
    expect(simulateLoss(fleet, ['s3']).services[0]?.moves[0]?.to).toBe('s4');
  });

  it.each([
    [
      'constraint',
      { constraints: ['node.labels.disk == SSD'] },
      'it is not node.labels.disk == SSD',
    ],
    ['name', { constraints: ['node.hostname==s3'] }, 'it is not node.hostname==s3'],
    ['exclusion', { constraints: ['node.role!=worker'] }, 'it is not node.role!=worker'],
    [
      'manager',
      { constraints: ['node.labels.windlass.applications==true'] },
      'it takes no applications',
    ],
    [
      'memory',
      { reserves: { nanoCpus: 0, memoryBytes: 3 * GIB } },
      '1024 MiB of memory are free and 3072 wanted',
    ],
    [
      'CPU',
      { reserves: { nanoCpus: 2.5 * CPU, memoryBytes: 0 } },
      '1.5 of a CPU are free and 2.5 wanted',
    ],
    ['port', { hostPorts: ['tcp/80'] }, 'port tcp/80 is taken'],
    ['most', { mostPerNode: 1 }, 'it may have 1 of it and has'],
    [
      'image',
      { platforms: [{ os: 'linux', architecture: 'arm64' }] },
      'the image is not for linux/x86_64',
    ],
  ])('tells what does not fit, and why: %s', (_what, of, why) => {
    const { services } = simulateLoss(threeWith(of, 's1', 's2', 's3'), ['s3']);
    expect(services[0]).toMatchObject({ moves: [], unharmed: 2 });
    expect(services[0]?.stuck).toEqual([
      {
        slot: '3',
        from: 's3',
        why: [IDLE, { server: 's1', why }, { server: 's2', why }],
      },
    ]);
  });

  it.each([
    [{ availability: 'drain' as const }, 'it takes nothing new: drain'],
    [{ availability: 'pause' as const }, 'it takes nothing new: pause'],
    [{ state: 'down' as const }, 'it is down'],
  ])('puts nothing on a server that is %o', (more, why) => {
    const fleet = threeWith({}, 's2');
    fleet.nodes = [BOSS, node('s1', more), node('s2')];
    expect(simulateLoss(fleet, ['s2']).services[0]?.stuck[0]?.why).toEqual([
      IDLE,
      { server: 's1', why },
    ]);
  });

  it('counts the room that tasks hold until they have ended', () => {
    const reserves = { nanoCpus: 0, memoryBytes: 3 * GIB };
    const fleet = threeWith({ reserves }, 's3');
    const ending = { service: 'id-web', slot: '2', node: 'id-s1', isWanted: false };
    fleet.tasks = [...fleet.tasks, ending];
    expect(simulateLoss(fleet, ['s3']).services[0]?.moves[0]?.to).toBe('s2');
  });

  it('misses nothing of a service that is on every server', () => {
    const fleet = threeWith({ kind: 'global' }, 's1', 's2', 's3');
    expect(simulateLoss(fleet, ['s3']).services[0]).toMatchObject({ moves: [], stuck: [] });
  });

  it('tells of the leader, and of a server that is down as it is', () => {
    const fleet = { nodes: [manager('m1'), manager('m2'), manager('m3')], services: [], tasks: [] };
    expect(simulateLoss(fleet, ['m1']).lost).toEqual([
      { server: 'm1', role: 'manager', isDown: false, isLeader: true },
    ]);
    const down = { nodes: [BOSS, node('s1', { state: 'down' })], services: [], tasks: [] };
    expect(simulateLoss(down, ['s1']).lost[0]?.isDown).toBe(true);
  });

  it.each([
    [['m1'], { managers: 3, needed: 2, before: 3, after: 2, holds: true }],
    [['m1', 'm2'], { managers: 3, needed: 2, before: 3, after: 1, holds: false }],
    [['w1'], { managers: 3, needed: 2, before: 3, after: 3, holds: true }],
  ])('knows whether quorum holds without %s', (lose, quorum) => {
    const nodes = [manager('m1'), manager('m2'), manager('m3'), node('w1')];
    expect(simulateLoss({ nodes, services: [], tasks: [] }, lose).quorum).toEqual(quorum);
  });

  it('counts managers that do not answer as it is', () => {
    const nodes = [manager('m1'), manager('m2'), manager('m3', false)];
    expect(simulateLoss({ nodes, services: [], tasks: [] }, ['m2']).quorum.holds).toBe(false);
  });

  it('moves nothing without quorum', () => {
    const nodes = [manager('m1'), node('w1'), node('w2')];
    const fleet = { nodes, services: [service('web')], tasks: tasks('web', 'm1', 'w1') };
    expect(simulateLoss(fleet, ['m1']).services[0]).toMatchObject({
      moves: [],
      stuck: [{ slot: '1', from: 'm1', why: [] }],
    });
  });

  it('says which servers there are', () => {
    const fleet = threeWith({});
    expect(() => simulateLoss(fleet, ['s9'])).toThrow(
      expect.objectContaining({ code: 'not-found', hint: 'there are: m1, s1, s2, s3' }),
    );
    expect(() => simulateLoss(fleet, [])).toThrow('no server is named');
  });
});

/** The fleet as it would be. */
function after({ nodes, services, tasks: all }: Fleet, loss: Loss): Fleet {
  const lost = new Set(loss.lost.map(({ server }) => `id-${server}`));
  const moved = loss.services.flatMap(({ service: name, moves }) =>
    moves.map(({ slot, to }) => taskOn(name, slot, `id-${to}`)),
  );
  return {
    nodes: nodes.filter(({ id }) => !lost.has(id)),
    services,
    tasks: [...all.filter((task) => !lost.has(task.node)), ...moved],
  };
}

/** Servers that could have one more of the service. */
function open(fleet: Fleet, name: string): string[] {
  return fleet.nodes
    .filter(({ availability }) => availability === 'active')
    .filter(({ id }) => {
      const more = taskOn(name, '99', id);
      return broken({ ...fleet, tasks: [...fleet.tasks, more] }).length === 0;
    })
    .map(({ server }) => server);
}

function countOn(fleet: Fleet, name: string, server: string): number {
  return fleet.tasks.filter((task) => task.node === `id-${server}` && task.service === `id-${name}`)
    .length;
}

describe('simulateLoss of any fleet', () => {
  function holds(check: (fleet: Fleet, loss: Loss) => void): void {
    const property = fc.property(fleets, ({ fleet, lose }) =>
      check(fleet, simulateLoss(fleet, lose)),
    );
    fc.assert(property, { numRuns: RUNS });
  }

  it('loses and doubles no replica', () => {
    holds((_fleet, { services }) => {
      for (const { unharmed, moves, stuck, tasks: all } of services)
        expect(unharmed + moves.length + stuck.length).toBe(all);
    });
  });

  it('puts nothing where it may not be', () => {
    holds((fleet, loss) => {
      expect(broken(after(fleet, loss))).toEqual([]);
    });
  });

  it('leaves nothing that could be put somewhere', () => {
    holds((fleet, loss) => {
      const then = after(fleet, loss);
      const stuck = loss.services.filter((each) => each.stuck.length > 0);
      expect(stuck.flatMap((each) => open(then, each.service))).toEqual([]);
    });
  });

  it('gives no server two more of a service than another that could have it', () => {
    holds((fleet, loss) => {
      const then = after(fleet, loss);
      const even = loss.services.filter(({ service: name }) =>
        fleet.services.some((each) => each.name === name && each.spreads.length === 0),
      );
      const uneven = even.flatMap(({ service: name, moves }) =>
        moves.filter(({ to }) =>
          open(then, name).some(
            (server) => countOn(then, name, to) > countOn(then, name, server) + 1,
          ),
        ),
      );
      expect(uneven).toEqual([]);
    });
  });

  it('says the same in whichever order servers are named', () => {
    fc.assert(
      fc.property(fleets, ({ fleet, lose }) => {
        expect(simulateLoss(fleet, lose.toReversed())).toEqual(simulateLoss(fleet, lose));
      }),
      { numRuns: RUNS },
    );
  });
});
