import { afterAll, beforeAll, expect, it } from 'vitest';
import { pino } from 'pino';
import { callDocker } from '#adapters/docker/call.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { balancerAddress, removeBalancer } from './balancer.ts';
import type { SwarmContext } from './context.ts';
import { desire, never, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

const PLACE = { cluster: 'test', installation: 'balancer' };
const labels = { app: 'web' };
const container = {
  name: 'web',
  image: SYSTEM_IMAGES.sandbox,
  command: ['sh', '-c', 'mkdir /www; echo hello > /www/page; exec httpd -f -p 8080 -h /www'],
  readinessProbe: { httpGet: { path: '/page', port: 8080 }, periodSeconds: 1 },
};

function deployment(replicas: number): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  };
}

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
});
afterAll(() => swarm?.stop());

it('is taken off the network, and missed by no pod', async () => {
  const { docker } = swarm;
  const log = pino({ level: 'silent' });
  const context: SwarmContext = { docker, ...PLACE, images: SYSTEM_IMAGES, log };
  expect(await balancerAddress(context, never)).toBeUndefined();
  const engine = swarm.startEngine({ installation: PLACE.installation });
  await settle(engine, desire([deployment(1)]));
  const listed = await callDocker<{ Containers: Record<string, { IPv4Address: string }> }>(docker, {
    method: 'GET',
    path: '/networks/test-balancer',
    signal: never,
  });
  const addresses = Object.values(listed.Containers).map(({ IPv4Address }) => IPv4Address);
  const address = await balancerAddress(context, never);
  expect(addresses).toContain(`${address}/16`);
  await removeBalancer(context, never);
  expect(await balancerAddress(context, never)).toBeUndefined();
  await removeBalancer(context, never);
  const status = await settle(engine, desire([deployment(3)]));
  expect(status.serving).toBe(true);
  await settle(engine, desire([]));
  await engine.close();
});
