import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { APPLICATIONS_LABEL } from '#core/swarm/servers/labels.ts';
import { startHarnessSwarm } from '../../../../test/harness/swarm.ts';
import type { HarnessSwarm } from '../../../../test/harness/swarm.ts';
import { createTestEngine, desire, never, settle } from './testing/swarm-cluster.ts';

const PATIENCE_MS = 120_000;
const POLL_MS = 500;

let swarm: HarnessSwarm;
beforeAll(async () => {
  const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
  swarm = await startHarnessSwarm(['m1', 'w1', 'w2'], [sandbox, proxy, nameServer]);
  for (const name of ['w1', 'w2'])
    await swarm.setNode(name, { Labels: { [APPLICATIONS_LABEL]: 'true' } });
});
afterAll(() => swarm?.stop());

function web(release: string): Resource {
  const container = {
    name: 'web',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sleep', '86400'],
    env: [{ name: 'RELEASE', value: release }],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [container] },
      },
    },
  };
}

it(
  'says which server is down, goes on without it, and cleans it',
  { timeout: 400_000 },
  async () => {
    const engine = createTestEngine(swarm.manager.client);
    const victim = swarm.servers.find(({ name }) => name === 'w2');
    async function left(): Promise<string[]> {
      const filters = JSON.stringify({ label: ['com.docker.swarm.service.name'] });
      const request = { method: 'GET', path: '/containers/json', query: { filters } } as const;
      const found = await callDocker<{ Id: string }[]>(victim?.client ?? swarm.manager.client, {
        ...request,
        signal: never,
      });
      return found.map(({ Id }) => Id);
    }

    await settle(engine, desire([web('one')]));
    const before = await left();
    expect(before).toHaveLength(1);
    await victim?.kill();
    const { resources } = await settle(
      engine,
      desire([web('one')]),
      (status) => status.resources[0]?.health.status === 'Degraded',
      PATIENCE_MS,
    );
    expect(resources[0]?.health.reason).toMatch(
      /^server w2 is down, a replica is begun elsewhere; /,
    );
    const again = await settle(engine, desire([web('one')]), undefined, PATIENCE_MS);
    expect(again.resources[0]?.health).toEqual({ status: 'Healthy', reason: '' });
    // Swarm goes on telling that what was there runs.
    await settle(engine, desire([web('two')]), undefined, PATIENCE_MS);

    await victim?.start();
    const end = Date.now() + PATIENCE_MS;
    while ((await left()).some((id) => before.includes(id)) && Date.now() < end)
      await sleep(POLL_MS);
    expect(await left()).toEqual([]);
    await settle(engine, desire([]));
    await engine.close();
  },
);
