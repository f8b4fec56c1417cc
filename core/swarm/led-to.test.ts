import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';
import { decide } from '#core/swarm/decide.ts';
import { ledTo } from '#core/swarm/led-to.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { LiveTask, SwarmDecision } from '#core/swarm/world.ts';

const NODES = { a: 'n-one', b: 'n-two' };
const ADDRESSES = { a: '10.0.0.1:80', b: '10.0.0.2:80' };
const LABELS = { app: 'web' };

function desire(kind: 'Deployment' | 'DaemonSet'): DesiredState {
  const template = {
    metadata: { labels: LABELS },
    spec: { containers: [{ name: 'web', image: 'web:1' }] },
  };
  const replicas = kind === 'Deployment' ? { replicas: 2 } : {};
  const web: Resource = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: { ...replicas, selector: { matchLabels: LABELS }, template },
  };
  const service: Resource = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: LABELS, ports: [{ port: 80 }] },
  };
  return { owner: 'shop/test', release: 'r1', resources: [web, service] };
}

/** What serves, on each server one. */
function served(state: DesiredState): SimulatedSwarm {
  const swarm = simulateSwarm();
  swarm.settle([state]);
  const [first] = swarm.world.tasks;
  if (first === undefined) throw new Error('there is none');
  swarm.world.tasks = [
    { ...first, node: NODES.a },
    { ...first, id: 'other', name: 'other.2.id', slot: '2', ip: '10.0.0.2', node: NODES.b },
  ];
  swarm.settle([state]);
  return swarm;
}

function set(swarm: SimulatedSwarm, availability: 'active' | 'pause' | 'drain'): void {
  swarm.world.nodes = swarm.world.nodes.map((node) =>
    node.id === NODES.a ? { ...node, availability } : node,
  );
}

function look(swarm: SimulatedSwarm, state: DesiredState): SwarmDecision {
  return decide([state], swarm.world, swarm.now, {
    place: { cluster: 'c', installation: 'i' },
    seal: (value) => `sealed-${contentHash(value)}`,
    endpointMode: 'dnsrr',
    declared: true,
  });
}

/** What the proxy is told to lead to; absent where it is told nothing. */
function told({ steps }: SwarmDecision): { a: boolean; b: boolean } | undefined {
  const step = steps.find(({ kind }) => kind === 'configureProxy');
  if (step?.kind !== 'configureProxy') return undefined;
  const { haproxy } = step.config;
  return { a: haproxy.includes(ADDRESSES.a), b: haproxy.includes(ADDRESSES.b) };
}

describe('a server that is to be emptied', () => {
  it.each(['Deployment', 'DaemonSet'] as const)(
    'is led to no more by a proxy before it is known to be, for a %s that serves elsewhere too',
    (kind) => {
      const state = desire(kind);
      const swarm = served(state);
      set(swarm, 'pause');
      const first = look(swarm, state);
      expect(told(first)).toEqual({ a: false, b: true });
      expect(first.leaving).toEqual(new Map([[NODES.a, { waits: [], breaks: [], isLedTo: true }]]));
      swarm.settle([state]);
      expect(look(swarm, state).leaving).toEqual(new Map([[NODES.a, { waits: [], breaks: [] }]]));
      // Its tasks have not been told to end yet.
      set(swarm, 'drain');
      expect(told(look(swarm, state))).toBeUndefined();
    },
  );

  it('is led to again where it is not to be emptied after all', () => {
    const state = desire('Deployment');
    const swarm = served(state);
    set(swarm, 'pause');
    swarm.settle([state]);
    set(swarm, 'active');
    expect(told(look(swarm, state))).toEqual({ a: true, b: true });
  });

  it.each<{ what: string; task: Partial<LiveTask> }>([
    { what: 'starts elsewhere', task: { state: 'starting' } },
    { what: 'is not ready elsewhere', task: { readiness: { ok: false, answer: 'HTTP 503' } } },
    { what: 'was elsewhere', task: { desired: 'shutdown' } },
    { what: 'is there too', task: { node: NODES.a } },
  ])('is led to while the other one $what', ({ task }) => {
    const state = desire('Deployment');
    const { world } = served(state);
    const [own, other] = world.tasks;
    if (own === undefined || other === undefined) throw new Error('there are two');
    const tasks = [own, { ...other, ...task }];
    const nodes = world.nodes.map((node) =>
      node.id === NODES.a ? { ...node, availability: 'pause' as const } : node,
    );
    const leaving = new Map([[NODES.a, { waits: [] }]]);
    expect(ledTo({ tasks, nodes }, leaving)).toEqual(tasks);
  });

  it('is led to for a pod that none of the others stands in for', () => {
    const { world } = served(desire('Deployment'));
    const tasks = world.tasks.map((task, index) => ({
      ...task,
      pod: { ...task.pod, published: `web-${index}.web` },
    }));
    const nodes = world.nodes.map((node) =>
      node.id === NODES.a ? { ...node, availability: 'pause' as const } : node,
    );
    expect(ledTo({ tasks, nodes }, new Map([[NODES.a, { waits: [] }]]))).toEqual(tasks);
  });

  it('is led to while something there is about to serve elsewhere', () => {
    const { world } = served(desire('Deployment'));
    const nodes = world.nodes.map((node) =>
      node.id === NODES.a ? { ...node, availability: 'pause' as const } : node,
    );
    const leaving = new Map([[NODES.a, { waits: ['Deployment/default/other'] }]]);
    expect(ledTo({ tasks: world.tasks, nodes }, leaving)).toEqual(world.tasks);
  });
});
