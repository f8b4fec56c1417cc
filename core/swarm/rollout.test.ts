import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import type { LiveTask } from '#core/swarm/world.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';

interface Said {
  image: string;
  kind?: 'Deployment' | 'DaemonSet';
  replicas?: number;
  maxSurge?: number;
  maxUnavailable?: number;
}

function web(said: Said): DesiredState {
  const { image, kind = 'Deployment', replicas = 3, maxSurge = 1, maxUnavailable = 0 } = said;
  const labels = { app: 'web' };
  const container = { name: 'web', image, readinessProbe: { httpGet: { port: 80 } } };
  const rolling = { rollingUpdate: { maxSurge, maxUnavailable } };
  const spec = {
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container] } },
    ...(kind === 'Deployment' ? { replicas, strategy: rolling } : { updateStrategy: rolling }),
  };
  const resource = { apiVersion: 'apps/v1', kind, metadata: { name: 'web' }, spec };
  return { owner: 'shop/test', release: image, resources: [resource] };
}

function ready(swarm: SimulatedSwarm): number {
  return swarm.world.tasks.filter(({ readiness }) => readiness?.ok === true).length;
}

/** Whichever are not ready become so. */
function becomeReady(swarm: SimulatedSwarm): void {
  swarm.world.tasks = swarm.world.tasks.map((task) => ({
    ...task,
    readiness: { ok: true, answer: '' },
  }));
}

function images(swarm: SimulatedSwarm): string[] {
  return swarm.world.services.map(({ key, spec }) => {
    const { Image } = (spec as ServiceSpec).TaskTemplate.ContainerSpec;
    return `${key.split('/')[0]} ${Image}`;
  });
}

function serving(said: Said): SimulatedSwarm {
  const swarm = simulateSwarm();
  swarm.settle([web(said)]);
  swarm.startsReady = false;
  return swarm;
}

describe('a rollout that waits for readiness', () => {
  it.each<{ of: string; more: Partial<Said>; most: number; least: number; rounds: number }>([
    { of: 'one at a time', more: {}, most: 4, least: 3, rounds: 4 },
    { of: 'one replica', more: { replicas: 1 }, most: 2, least: 1, rounds: 2 },
    {
      of: 'more that may be beside them than they are',
      more: { replicas: 1, maxSurge: 2 },
      most: 2,
      least: 1,
      rounds: 2,
    },
    {
      of: 'two more and one fewer',
      more: { maxSurge: 2, maxUnavailable: 1 },
      most: 5,
      least: 2,
      rounds: 2,
    },
    { of: 'none more', more: { maxSurge: 0, maxUnavailable: 1 }, most: 3, least: 2, rounds: 3 },
  ])('never has more tasks nor fewer that are ready: $of', ({ more, most, least, rounds }) => {
    const swarm = serving({ image: 'web:1', ...more });
    const after = web({ image: 'web:2', ...more });
    let [status] = swarm.settle([after]).owners;
    let waits = 0;
    while (status?.serving !== true) {
      waits += 1;
      expect(waits).toBeLessThanOrEqual(rounds);
      expect(swarm.world.tasks.length).toBeLessThanOrEqual(most);
      expect(ready(swarm)).toBeGreaterThanOrEqual(least);
      becomeReady(swarm);
      // Swarm watches an update on until it is told something else.
      [status] = swarm.settle([after]).owners;
    }
    expect(images(swarm)).toEqual(['Deployment web:2']);
    expect(swarm.settle([after]).done).toEqual([]);
  });

  it('changes nothing of what serves while the first of the new is not ready, and goes back at once', () => {
    const swarm = serving({ image: 'web:1' });
    const before = swarm.world.tasks;
    const [status] = swarm.settle([web({ image: 'web:2' })]).owners;
    expect(status?.serving).toBe(false);
    expect(status?.resources[0]?.health).toEqual({
      status: 'Progressing',
      reason: 'the first of the new: 0 of 1 ready; readiness probe: HTTP 503',
    });
    expect(swarm.world.tasks.slice(0, 3)).toEqual(before);
    swarm.now += 700_000;
    const [late] = swarm.settle([web({ image: 'web:2' })]).owners;
    expect(late?.failure).toBe('Deployment web: not ready after 600 s: readiness probe: HTTP 503');
    const back = swarm.settle([web({ image: 'web:1' })]);
    expect(back.owners[0]).toMatchObject({ serving: true });
    expect(swarm.world.tasks).toEqual(before);
  });

  it('is over though a server died that had tasks of the one before', () => {
    const swarm = serving({ image: 'web:1' });
    const [task] = swarm.world.tasks;
    if (task === undefined) throw new Error('there are no tasks');
    const lost: LiveTask = { ...task, id: 'lost', desired: 'shutdown', lostWith: 'two' };
    swarm.world.tasks = [...swarm.world.tasks, lost];
    swarm.startsReady = true;
    const [status] = swarm.settle([web({ image: 'web:2' })]).owners;
    expect(status?.serving).toBe(true);
    expect(images(swarm)).toEqual(['Deployment web:2']);
  });

  it('needs nobody beside the tasks for another number of them', () => {
    const swarm = serving({ image: 'web:1' });
    const { done } = swarm.settle([web({ image: 'web:1', replicas: 5 })]);
    expect(done.map(({ kind }) => kind)).toContain('updateService');
    expect(images(swarm)).toEqual(['Deployment web:1']);
  });

  it('is told nothing else between its steps, by which Swarm would go on', () => {
    const said = { replicas: 4, maxSurge: 0, maxUnavailable: 1 };
    const swarm = serving({ image: 'web:1', ...said });
    const after = { ...web({ image: 'web:2', ...said, replicas: 5 }) };
    swarm.settle([web({ image: 'web:2', ...said })]);
    const before = swarm.world.tasks;
    const [status] = swarm.settle([after]).owners;
    expect(swarm.world.tasks).toEqual(before);
    expect(status?.resources[0]?.summary).toBe('0 of 5 ready');
    becomeReady(swarm);
    const { done } = swarm.settle([after]);
    expect(done.filter(({ kind }) => kind === 'updateService')).toHaveLength(1);
    expect(swarm.world.tasks).toHaveLength(5);
    swarm.settle([web({ image: 'web:2', ...said, replicas: 0 })]);
    expect(swarm.world.tasks).toEqual([]);
  });

  it('is paused by a pod that fails, says what ends that, and goes on once it is ready after all', () => {
    const said = { maxSurge: 0, maxUnavailable: 1 };
    const swarm = serving({ image: 'web:1', ...said });
    const after = web({ image: 'web:2', ...said });
    swarm.settle([after]);
    swarm.world.services = swarm.world.services.map((service) => ({
      ...service,
      update: { state: 'paused', message: 'update paused due to failure of task x' },
    }));
    const [paused] = swarm.settle([after]).owners;
    expect(paused?.failure).toBe(
      'Deployment web: Swarm paused the update: update paused due to failure of task x; it goes on once that pod is ready, or with another template',
    );
    swarm.startsReady = true;
    becomeReady(swarm);
    expect(swarm.settle([after]).owners[0]).toMatchObject({ serving: true });
    expect(images(swarm)).toEqual(['Deployment web:2']);
  });

  it('goes from server to server in a DaemonSet', () => {
    const swarm = serving({ image: 'web:1', kind: 'DaemonSet', maxSurge: 0, maxUnavailable: 1 });
    const after = web({ image: 'web:2', kind: 'DaemonSet', maxSurge: 0, maxUnavailable: 1 });
    expect(swarm.settle([after]).owners[0]?.serving).toBe(false);
    becomeReady(swarm);
    expect(swarm.settle([after]).owners[0]?.serving).toBe(true);
    expect(images(swarm)).toEqual(['DaemonSet web:2']);
  });
});
