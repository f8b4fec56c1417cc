import { afterAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Engine, OwnerStatus } from '#core/engine.ts';
import type { Change } from '#core/plan/change.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createDockerCluster, desire, never, settle } from './testing/docker-cluster.ts';

const KEY = 'HorizontalPodAutoscaler/default/web';
const cluster = createDockerCluster();
afterAll(() => cluster.remove());

function web(note: string): Resource {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { note } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            { name: 'main', image: SYSTEM_IMAGES.sandbox, command: ['sleep', 'infinity'] },
          ],
        },
      },
    },
  };
}

/** Whatever they use is too much. */
const scaler: Resource = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    maxReplicas: 3,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1' } },
      },
    ],
  },
};

function replicas({ resources }: OwnerStatus): OwnerStatus['resources'][number]['replicas'] {
  return resources.find(({ key }) => key === 'Deployment/default/web')?.replicas;
}

/** The engine, with what it says it has done. */
function telling(engine: Engine, done: Change[]): Engine {
  return {
    ...engine,
    async reconcile(desired, signal) {
      const result = await engine.reconcile(desired, signal);
      done.push(...result.done.flatMap(({ plan }) => plan));
      return result;
    },
  };
}

async function drift(engine: Engine, resources: Resource[]): Promise<unknown> {
  return engine.plan(desire(resources), never);
}

it('keeps what was decided where the worker is another, through a release, and not longer', async () => {
  const first = cluster.startEngine();
  const scaled = [web('one'), scaler];
  const done: Change[] = [];
  await settle(telling(first, done), desire(scaled), (now) => replicas(now)?.ready === 3);
  expect(done.filter(({ action, key }) => action === 'update' && key === KEY)).toEqual([
    {
      action: 'update',
      key: KEY,
      fields: [{ path: 'replicas of Deployment/default/web', current: '1', desired: '3' }],
      reason: expect.stringMatching(/^memory \dMi of 0Mi \(maxReplicas\)$/) as string,
    },
  ]);
  await first.close();
  const second = cluster.startEngine();
  expect(await drift(second, scaled)).toEqual([]);
  const released = [web('two'), scaler];
  const desired = new Set<number | undefined>();
  await settle(second, desire(released), (now) => {
    desired.add(replicas(now)?.desired);
    return now.serving;
  });
  expect([...desired]).toEqual([3]);
  await settle(second, desire([web('two')]), (now) => now.serving && replicas(now)?.ready === 1);
});
