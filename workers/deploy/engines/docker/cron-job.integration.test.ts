import { afterAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createDockerCluster, desire, execIn, firstOf, settle } from './testing/docker-cluster.ts';

const MINUTE_MS = 60_000;
const cluster = createDockerCluster();
afterAll(() => cluster.remove());

const image = SYSTEM_IMAGES.sandbox;
const runs = { name: 'runs', persistentVolumeClaim: { claimName: 'runs' } };
const volumeMounts = [{ name: 'runs', mountPath: '/runs' }];

const resources: Resource[] = [
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'runs' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: {
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [
                {
                  name: 'main',
                  image,
                  command: ['sh', '-c', 'hostname >> /runs/all; sleep 8'],
                  volumeMounts,
                },
              ],
              volumes: [runs],
            },
          },
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'reader' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'reader', image, command: ['sleep', 'infinity'], volumeMounts }],
      volumes: [runs],
    },
  },
];

function firstRun({ resources: all }: OwnerStatus): 'none' | 'runs' | 'ended' {
  const pods = all.find(({ key }) => key === 'CronJob/default/tick')?.pods ?? [];
  if (pods.some(({ phase }) => phase === 'Succeeded')) return 'ended';
  return pods.some(({ ready }) => ready) ? 'runs' : 'none';
}

it('goes on with a Job after another worker began, and runs it once', async () => {
  const first = cluster.startEngine();
  await settle(first, desire(resources), (now) => firstRun(now) === 'runs', MINUTE_MS + 30_000);
  await first.close();
  const second = cluster.startEngine();
  const status = await settle(second, desire(resources), (now) => firstRun(now) === 'ended');
  const [run] = status.resources.flatMap(({ key, pods = [] }) =>
    key.startsWith('CronJob/') ? pods.filter(({ phase }) => phase === 'Succeeded') : [],
  );
  const reader = firstOf(await cluster.named('reader'));
  const lines = (await execIn(reader.Id, 'cat', '/runs/all')).split('\n');
  expect(run?.name).toMatch(/^tick-\d{8}-/);
  expect(lines.filter((line) => line === run?.name)).toHaveLength(1);
});
