import { afterAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import {
  createDockerCluster,
  desire,
  docker,
  execIn,
  firstOf,
  harm,
  never,
  settle,
} from './testing/docker-cluster.ts';

const cluster = createDockerCluster();
afterAll(() => cluster.remove());

function set(version: string, partition: number): Resource {
  const main = {
    name: 'main',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sh', '-c', `echo ${version} > /tmp/version; exec sleep infinity`],
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'db' } },
      updateStrategy: { rollingUpdate: { partition } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [main] },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
        },
      ],
    },
  };
}

/** Of the pod, as what is in its volume and in itself. */
async function look(pod: string): Promise<string> {
  const found = (await cluster.named('main')).find(
    ({ Labels }) => Labels['windlass.dev/pod'] === pod,
  );
  return execIn(
    firstOf(found === undefined ? [] : [found]).Id,
    'sh',
    '-c',
    'cat /tmp/version; ls /data',
  );
}

async function removePod(pod: string): Promise<void> {
  const parts = [...(await cluster.parts('container')), ...(await cluster.parts('sandbox'))];
  for (const { Id, Labels } of parts)
    if (Labels['windlass.dev/pod'] === pod) await harm(Id, 'remove');
}

it('starts no pod on a volume that is not its own', async () => {
  const volume = `claim_default.data-db-1.test-${cluster.installation}`;
  const path = '/volumes';
  await callDocker(docker, {
    method: 'POST',
    path: `${path}/create`,
    body: { Name: volume },
    signal: never,
  });
  const engine = cluster.startEngine();
  const status = await settle(
    engine,
    desire([set('one', 0)]),
    ({ failure }) => failure !== undefined,
  );
  expect(status.failure).toContain(`the volume ${volume} was not made by this installation`);
  expect((await cluster.parts('sandbox')).map(({ Labels }) => Labels['windlass.dev/pod'])).toEqual([
    'db-0',
  ]);
  await callDocker(docker, { method: 'DELETE', path: `${path}/${volume}`, signal: never });
  await settle(engine, desire([set('one', 0)]));
  await engine.close();
});

it('makes a pod that disappears again as it was, also after another worker began', async () => {
  const first = cluster.startEngine();
  await settle(first, desire([set('one', 0)]));
  for (const { Id, Labels } of await cluster.named('main'))
    await execIn(Id, 'touch', `/data/of-${Labels['windlass.dev/pod']}`);
  await settle(first, desire([set('two', 1)]));
  await first.close();
  await removePod('db-0');
  await removePod('db-1');
  await settle(cluster.startEngine(), desire([set('two', 1)]));
  expect(await look('db-0')).toBe('one\nof-db-0');
  expect(await look('db-1')).toBe('two\nof-db-1');
});
