import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';
import { decide } from '#core/swarm/decide.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { LiveTask, SwarmDecision } from '#core/swarm/world.ts';

const KEY = 'Deployment/default/web';
const NODES = { a: 'n-one', b: 'n-two' };
const MINUTE_MS = 60_000;

function web(replicas: number, strategy: object = {}): Resource {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      strategy,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
    },
  };
}

function desire(resource: Resource, more: Partial<DesiredState> = {}): DesiredState {
  return { owner: 'shop/test', release: 'r1', resources: [resource], ...more };
}

/** What serves, all of it on one server. */
function served(resource: Resource): SimulatedSwarm {
  const swarm = simulateSwarm();
  swarm.settle([desire(resource)]);
  swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, node: NODES.a }));
  return swarm;
}

function set({ world }: SimulatedSwarm, availability: 'active' | 'pause' | 'drain'): void {
  world.nodes = world.nodes.map((node) => (node.id === NODES.a ? { ...node, availability } : node));
}

/** One round. `tells` are the replicas that the service is told, where it is told something. */
function look(
  swarm: SimulatedSwarm,
  state: DesiredState,
): { tells: number | undefined; leaving: SwarmDecision['leaving'] } {
  swarm.now += 1_000;
  const { steps, leaving } = decide([state], swarm.world, swarm.now, {
    place: { cluster: 'c', installation: 'i' },
    seal: (value) => `sealed-${contentHash(value)}`,
    endpointMode: 'dnsrr',
    declared: true,
  });
  const step = steps.find(({ kind }) => kind === 'updateService');
  if (step?.kind !== 'updateService') return { tells: undefined, leaving };
  swarm.world.services = swarm.world.services.map((service) =>
    service.id === step.id ? { ...service, spec: step.spec, updatedAt: swarm.now } : service,
  );
  return { tells: replicasOf(step.spec), leaving };
}

function replicasOf({ Mode }: ServiceSpec): number {
  return 'Replicated' in Mode ? Mode.Replicated.Replicas : 0;
}

/** As Swarm adds one, on the other server. */
function add({ world }: SimulatedSwarm, state: LiveTask['state']): void {
  const [first] = world.tasks;
  if (first === undefined) throw new Error('there is none');
  const slot = String(world.tasks.length + 1);
  world.tasks = [...world.tasks, { ...first, id: `t${slot}`, slot, node: NODES.b, state }];
}

function change({ world }: SimulatedSwarm, node: string, to: Partial<LiveTask>): void {
  world.tasks = world.tasks.map((task) => (task.node === node ? { ...task, ...to } : task));
}

const WAITS = new Map([[NODES.a, { waits: [KEY], breaks: [] }]]);
const BREAKS = new Map([[NODES.a, { waits: [], breaks: [KEY] }]]);
const NONE = new Map([[NODES.a, { waits: [], breaks: [] }]]);

describe('a server that is to be emptied', () => {
  it('keeps its replicas until others serve elsewhere, which are no more once it is empty', () => {
    const state = desire(web(1));
    const swarm = served(web(1));
    expect(look(swarm, state)).toEqual({ tells: undefined, leaving: new Map() });
    set(swarm, 'pause');
    expect(look(swarm, state)).toEqual({ tells: 2, leaving: WAITS });
    expect(look(swarm, state)).toEqual({ tells: undefined, leaving: WAITS });
    add(swarm, 'starting');
    expect(look(swarm, state)).toEqual({ tells: undefined, leaving: WAITS });
    change(swarm, NODES.b, { state: 'running' });
    expect(look(swarm, state)).toEqual({ tells: undefined, leaving: NONE });
    set(swarm, 'drain');
    // Swarm has not ended the one there yet, and might end the other for it.
    expect(look(swarm, state).tells).toBeUndefined();
    change(swarm, NODES.a, { desired: 'shutdown' });
    expect(look(swarm, state).tells).toBe(1);
    change(swarm, NODES.a, { state: 'shutdown' });
    expect(look(swarm, state).tells).toBeUndefined();
  });

  it('moves as many as serve there, and nothing where some serve elsewhere', () => {
    const swarm = served(web(3));
    set(swarm, 'pause');
    expect(look(swarm, desire(web(3))).tells).toBe(6);
    const spread = served(web(3));
    spread.world.tasks = spread.world.tasks.map((task) =>
      task.slot === '1' ? { ...task, node: NODES.b } : task,
    );
    set(spread, 'pause');
    expect(look(spread, desire(web(3)))).toEqual({ tells: undefined, leaving: NONE });
  });

  it.each<[string, Resource, Partial<DesiredState>]>([
    ['that may not run twice', web(1, { type: 'Recreate' }), {}],
    ['without a surge', web(1, { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } }), {}],
    ['that is suspended', web(1), { suspended: true }],
  ])('is not waited for by what %s', (_what, resource, more) => {
    const swarm = served(resource);
    set(swarm, 'pause');
    expect(look(swarm, desire(resource, more))).toEqual({ tells: undefined, leaving: BREAKS });
  });

  it('is not waited for without end where no other has room', () => {
    const state = desire(web(1));
    const swarm = served(web(1));
    set(swarm, 'pause');
    look(swarm, state);
    add(swarm, 'pending');
    swarm.now += 6 * MINUTE_MS;
    expect(look(swarm, state)).toEqual({ tells: 1, leaving: BREAKS });
    swarm.world.tasks = swarm.world.tasks.filter(({ node }) => node === NODES.a);
    expect(look(swarm, state)).toEqual({ tells: undefined, leaving: BREAKS });
  });

  it('has what it had where it is not to be emptied after all', () => {
    const state = desire(web(1));
    const swarm = served(web(1));
    set(swarm, 'pause');
    look(swarm, state);
    add(swarm, 'running');
    set(swarm, 'active');
    expect(look(swarm, state)).toEqual({ tells: 1, leaving: new Map() });
  });
});
