import { describe, expect, it } from 'vitest';
import type { DesiredState, Rebalance } from '#core/engine.ts';
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

function wish(name: string, id = '1'): Rebalance {
  return { id, resource: `Deployment/default/${name}`, surplus: 1 };
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
    swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, state: 'starting' }));
    expect(told(swarm.settle(desire((name) => [wish(name)])).done)).toEqual([]);
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
