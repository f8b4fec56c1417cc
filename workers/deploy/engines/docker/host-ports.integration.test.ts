import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import type { OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { createDockerCluster, desire, settle } from './testing/docker-cluster.ts';

const cluster = createDockerCluster();
afterAll(() => cluster.remove());

it('waits for a port of the host that another program has', async () => {
  const program = createServer();
  program.listen(0, '0.0.0.0');
  await once(program, 'listening');
  const { port: hostPort } = program.address() as AddressInfo;
  const container = {
    name: 'web',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sleep', '1000'],
    ports: [{ containerPort: 80, hostPort }],
  };
  const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
  const desired = desire([{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec }]);
  const engine = cluster.startEngine();
  const stuck = await settle(engine, desired, (status) => reasonOf(status) !== undefined);
  expect(reasonOf(stuck)).toBe('FailedCreatePodSandBox');
  expect(stuck.resources[0]?.health.reason).toContain(String(hostPort));
  program.close();
  await settle(engine, desired);
});

function reasonOf({ resources }: OwnerStatus): string | undefined {
  const reason = resources[0]?.pods?.[0]?.containers[0]?.reason;
  return reason === 'ContainerCreating' ? undefined : reason;
}
