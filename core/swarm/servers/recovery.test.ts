import { describe, expect, it } from 'vitest';
import { SETTLE_MS } from './decide-servers.ts';
import { SERVER_LABEL } from './labels.ts';
import { planRecovery } from './recovery.ts';
import type { DeclaredServer, Seen, SeenNode, SeenServer } from './seen.ts';

function declared(name: string, more: Partial<DeclaredServer> = {}): DeclaredServer {
  const base = { role: 'manager', state: 'active', labels: {}, reach: name } as const;
  return { name, advertise: `10.0.0.${name}`, ...base, ...more };
}

const ALL = [declared('a'), declared('b'), declared('c'), declared('d', { role: 'worker' })];

function answers(name: string, isManager = true): SeenServer {
  return {
    name,
    engine: {
      version: '20.10',
      membership: 'in',
      nodeId: `n-${name}`,
      isManager,
      managers: [],
      since: 0,
    },
  };
}

function withSwarm(name: string): SeenServer {
  const { engine } = answers(name);
  return { name, ...(engine && { engine: { ...engine, swarm: { isOurs: true, generation: 1 } } }) };
}

function manager(name: string, isReachable: boolean): SeenNode {
  return {
    id: `n-${name}`,
    hostname: `host-${name}`,
    address: '',
    role: 'manager',
    availability: 'active',
    state: isReachable ? 'ready' : 'down',
    raft: { isLeader: false, isReachable },
    labels: name === 'x' ? {} : { [SERVER_LABEL]: name },
    changedAt: 0,
    version: '20.10',
    tasks: 0,
  };
}

const OFF: SeenServer[] = [{ name: 'b' }, { name: 'c' }, answers('d', false)];

function warnings(servers: readonly SeenServer[], swarm?: Seen['swarm']): string[] {
  const seen = { now: SETTLE_MS, servers, ...(swarm === undefined ? {} : { swarm }) };
  const { does } = planRecovery(ALL, seen, 'a');
  return does.filter((line) => line.includes('cannot be asked from here'));
}

describe('planRecovery', () => {
  it('names the managers that it cannot ask, which may serve on where they are cut off', () => {
    const [warning] = warnings([answers('a'), ...OFF]);
    expect(warning).toMatch(/^b, c cannot be asked .*they may still be a majority.*they are off$/);
  });

  it('names managers that the swarm had and that no file has now', () => {
    const nodes = [manager('a', true), manager('b', false), manager('x', false)];
    const swarm = { from: 'a', generation: 1, nodes, waitingTasks: 0 };
    const [warning] = warnings([answers('a'), ...OFF], swarm);
    expect(warning).toMatch(/^b, c, host-x cannot be asked /);
  });

  it('warns of none where all of them answer', () => {
    const all = [answers('a'), answers('b'), answers('c'), answers('d', false)];
    expect(warnings(all)).toEqual([]);
  });

  it('says that a majority which has no leader may be mended', () => {
    const all = [answers('a'), answers('b'), answers('c'), answers('d', false)];
    const { does } = planRecovery(ALL, { now: SETTLE_MS, servers: all }, 'a');
    expect(does[1]).toMatch(/^3 of 3 managers answer, which is a majority, and choose no leader/);
  });

  it.each<{ about: string; servers: SeenServer[]; now: number; says: string }>([
    {
      about: 'may be choosing a leader',
      servers: [answers('a'), answers('b'), answers('c')],
      now: SETTLE_MS - 1,
      says: '3 of 3 managers answer, which is a majority',
    },
    {
      about: 'has a leader and was not told of in time',
      servers: [withSwarm('a'), answers('b'), answers('c')],
      now: SETTLE_MS,
      says: 'the swarm has a leader',
    },
  ])('refuses where the swarm $about', ({ servers, now, says }) => {
    expect(() => planRecovery(ALL, { now, servers }, 'a')).toThrow(says);
  });

  it.each<{ of: string; servers: SeenServer[]; says: string }>([
    { of: 'one that does not answer', servers: [{ name: 'a' }], says: 'does not answer' },
    {
      of: 'one that is no manager',
      servers: [answers('a', false), answers('b')],
      says: 'is no manager',
    },
  ])('refuses $of', ({ servers, says }) => {
    expect(() => planRecovery(ALL, { now: SETTLE_MS, servers }, 'a')).toThrow(says);
  });

  it('refuses where there is nothing to recover', () => {
    const nodes = [manager('a', true), manager('b', true), manager('c', false)];
    const swarm = { from: 'a', generation: 1, nodes, waitingTasks: 0 };
    expect(() => planRecovery(ALL, { now: 0, servers: [answers('a')], swarm }, 'a')).toThrow(
      'the swarm has its quorum',
    );
  });
});
