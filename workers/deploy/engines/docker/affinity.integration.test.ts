import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { ask, createDockerCluster, desire, settle } from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const PORT = await freeNodePort();
/** Twice as long as HAProxy's first process waits to be told of clients, before it tells of its own. */
const FIRST_WAIT_MS = 25_000;

const cluster = createDockerCluster();
afterAll(() => cluster.remove());

function web(replicas: number): Resource[] {
  const serve = 'mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www';
  const container = { name: 'web', image: SYSTEM_IMAGES.sandbox, command: ['sh', '-c', serve] };
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas, selector: { matchLabels: { app: 'web' } }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        type: 'NodePort',
        selector: { app: 'web' },
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
        ports: [{ port: 80, targetPort: 8080, nodePort: PORT }],
      },
    },
  ];
}

it('keeps a client with its pod while others come', async () => {
  const engine = cluster.startEngine();
  await settle(engine, desire(web(1)));
  const first = await ask(PORT);
  await sleep(FIRST_WAIT_MS);
  for (const replicas of [8, 4, 9]) {
    await settle(engine, desire(web(replicas)));
    for (let time = 0; time < 3; time += 1) expect(await ask(PORT)).toBe(first);
  }
}, 120_000);
