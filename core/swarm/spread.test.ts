import { describe, expect, it } from 'vitest';
import type { DesiredState, OwnerStatus, Rebalance } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { LiveTask, SwarmStep } from '#core/swarm/world.ts';

function deployment(name: string, image = 'web:1'): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 2,
      progressDeadlineSeconds: 10,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'web', image }] },
      },
    },
  };
}

const UNTIL = 2_000_000;

function wish(name: string, id = '1'): Rebalance {
  return { id, resource: `Deployment/default/${name}`, surplus: 1, until: UNTIL };
}

const OWNERS = ['one', 'two'].map((owner) => `${owner}/here`);

/** A Deployment of each owner. */
function desire(rebalance: (name: string) => Rebalance[], suspended = false): DesiredState[] {
  return OWNERS.map((owner, index) => ({
    owner,
    release: 'r1',
    resources: [deployment(`app-${index}`)],
    rebalance: rebalance(`app-${index}`),
    ...(suspended ? { suspended } : {}),
  }));
}

function served(): SimulatedSwarm {
  const swarm = simulateSwarm();
  swarm.settle(desire(() => []));
  return swarm;
}

/** Has all tasks of these, or of all, be in that state. */
function put(swarm: SimulatedSwarm, state: LiveTask['state'], name = 'app'): void {
  swarm.world.tasks = swarm.world.tasks.map((task) =>
    task.name.startsWith(name) ? { ...task, state } : task,
  );
}

function summaries(owners: readonly OwnerStatus[]): string[] {
  return owners.flatMap(({ resources }) => resources.map(({ summary }) => summary));
}

/** What services are told, e.g. `app-0 3`, by their replicas. */
function told(steps: readonly SwarmStep[]): string[] {
  return steps.flatMap((step) =>
    step.kind === 'updateService' ? [`${nameOf(step.spec)} ${replicasOf(step.spec)}`] : [],
  );
}

function nameOf({ Name }: ServiceSpec): string {
  return Name.slice(0, 'app-0'.length);
}

function replicasOf({ Mode }: ServiceSpec): number {
  return 'Replicated' in Mode ? Mode.Replicated.Replicas : 0;
}

describe('a rebalance', () => {
  it('is done one after the other, and once', () => {
    const swarm = served();
    const templates = swarm.world.tasks.map(({ templateHash }) => templateHash).toSorted();
    const wanted = desire((name) => [wish(name)]);
    const { done, owners } = swarm.settle(wanted);
    expect(told(done)).toEqual(['app-0 3', 'app-0 2', 'app-1 3', 'app-1 2']);
    expect(owners).toMatchObject([
      { serving: true, plan: [] },
      { serving: true, plan: [] },
    ]);
    expect(swarm.world.tasks.map(({ templateHash }) => templateHash).toSorted()).toEqual(templates);
    expect(swarm.settle(wanted).done).toEqual([]);
    expect(told(swarm.settle(desire((name) => [wish(name, '2')])).done)).toHaveLength(4);
  });

  it('leaves a mark that is no difference once the wish is over', () => {
    const swarm = served();
    swarm.settle(desire((name) => [wish(name)]));
    expect(swarm.settle(desire(() => [])).done).toEqual([]);
  });

  it('waits until what is begun is ready, and ends nothing before', () => {
    const swarm = served();
    const wanted = desire((name) => [wish(name)]);
    const late = pending(swarm);
    const steps = late.settle(wanted).done;
    expect(told(steps)).toEqual(['app-0 3']);
    late.ready();
    expect(told(late.settle(wanted).done)[0]).toBe('app-0 2');
  });

  it('gives up after the deadline of the workload, and goes on with the next', () => {
    const swarm = served();
    const late = pending(swarm);
    const wanted = desire((name) => [wish(name)]);
    late.settle(wanted);
    swarm.now += 11_000;
    expect(told(late.settle(wanted).done).slice(0, 2)).toEqual(['app-0 2', 'app-1 3']);
  });

  it('begins nothing that does not serve as it is', () => {
    const swarm = served();
    put(swarm, 'starting');
    expect(told(swarm.settle(desire((name) => [wish(name)])).done)).toEqual([]);
  });

  it.each(['starting', 'failed'] as const)(
    'passes over one that does not serve, and comes back to it: %s',
    (state) => {
      const swarm = served();
      put(swarm, state, 'app-0');
      const wanted = desire((name) => [wish(name)]);
      const { done, owners } = swarm.settle(wanted);
      expect(told(done)).toEqual(['app-1 3', 'app-1 2']);
      expect(summaries(owners)).toEqual([
        '0 of 2 ready; to be spread over the servers anew once it serves',
        '2 of 2 ready',
      ]);
      put(swarm, 'running');
      const after = swarm.settle(wanted);
      expect(told(after.done)).toEqual(['app-0 3', 'app-0 2']);
      expect(summaries(after.owners)).toEqual(['2 of 2 ready', '2 of 2 ready']);
    },
  );

  it('begins none beside another, though one before it serves again', () => {
    const swarm = served();
    put(swarm, 'starting', 'app-0');
    const late = pending(swarm);
    const wanted = desire((name) => [wish(name)]);
    expect(told(late.settle(wanted).done)).toEqual(['app-1 3']);
    put(swarm, 'running', 'app-0');
    expect(told(late.settle(wanted).done)).toEqual([]);
    late.ready();
    expect(told(late.settle(wanted).done)).toEqual(['app-1 2', 'app-0 3', 'app-0 2']);
  });

  it('gives up one that has not served in time, says why, and begins it no more', () => {
    const swarm = served();
    put(swarm, 'starting', 'app-0');
    const wanted = desire((name) => [wish(name)]);
    swarm.settle(wanted);
    swarm.now = UNTIL;
    const { owners } = swarm.settle(wanted);
    const [first] = owners.flatMap(({ resources }) => resources);
    expect(first).toMatchObject({
      summary: '0 of 2 ready; not spread over the servers anew in time',
      notSpread:
        'its turn to be spread over the servers anew did not begin in time: not ready after 10 s: its tasks are not there',
    });
    put(swarm, 'running');
    expect(swarm.settle(wanted)).toMatchObject({
      done: [],
      owners: [
        { serving: true, resources: [{ notSpread: expect.any(String) as string }] },
        { serving: true, resources: [{ summary: '2 of 2 ready' }] },
      ],
    });
    expect(
      told(swarm.settle(desire((name) => [{ ...wish(name, '2'), until: 3_000_000 }])).done),
    ).toHaveLength(4);
  });

  it('ends what has begun though its time is over', () => {
    const swarm = served();
    const late = pending(swarm);
    const wanted = desire((name) => [{ ...wish(name), until: swarm.now + 1_500 }]);
    expect(told(late.settle(wanted).done)).toEqual(['app-0 3']);
    late.ready();
    expect(told(late.settle(wanted).done)).toEqual(['app-0 2']);
  });

  it('lets another come before one that is moved from a server first', () => {
    const swarm = served();
    swarm.world.nodes = swarm.world.nodes.map((node) => ({ ...node, availability: 'pause' }));
    swarm.world.tasks = swarm.world.tasks.map((task) => ({
      ...task,
      ...(task.name.startsWith('app-0') ? { node: 'n-one' } : {}),
    }));
    const wanted = desire((name) => [wish(name)]);
    expect(told(swarm.settle(wanted).done)).toEqual([
      'app-0 4',
      'app-1 3',
      'app-0 2',
      'app-1 2',
      'app-0 3',
      'app-0 2',
    ]);
  });

  it('is not begun while its owner is suspended', () => {
    expect(served().settle(desire((name) => [wish(name)], true)).done).toEqual([]);
  });

  it('is over with another release', () => {
    const swarm = served();
    const late = pending(swarm);
    late.settle(desire((name) => [wish(name)]));
    late.ready();
    const next = desire(() => []).map((state) => ({
      ...state,
      resources: state.resources.map(({ metadata }) => deployment(metadata.name, 'web:2')),
    }));
    expect(told(swarm.settle(next).done)).toEqual(['app-0 2', 'app-1 2']);
  });
});

/** In which a third task of a service does not run by itself. */
function pending(swarm: SimulatedSwarm): {
  settle: SimulatedSwarm['settle'];
  ready: () => void;
} {
  let isReady = false;
  const tasks = { now: swarm.world.tasks };
  Object.defineProperty(swarm.world, 'tasks', {
    get: () => tasks.now,
    set(next: LiveTask[]) {
      tasks.now = next.map((task) =>
        task.slot === '3' && !isReady ? { ...task, state: 'pending' } : task,
      );
    },
  });
  return {
    settle: (desired) => swarm.settle(desired),
    ready() {
      isReady = true;
      tasks.now = tasks.now.map((task) => ({ ...task, state: 'running' }));
    },
  };
}
