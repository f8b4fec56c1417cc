import { afterAll, beforeAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { APPLICATIONS_LABEL } from '#core/swarm/servers/labels.ts';
import type { FleetTask } from '#core/swarm/simulate/fleet.ts';
import { planRebalance } from '#core/swarm/simulate/rebalance.ts';
import { startHarnessSwarm } from '../../../../test/harness/swarm.ts';
import type { HarnessSwarm } from '../../../../test/harness/swarm.ts';
import { createTestEngine, desire, never, settle } from './testing/swarm-cluster.ts';

let swarm: HarnessSwarm;
beforeAll(async () => {
  const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
  swarm = await startHarnessSwarm(['m1', 'w1', 'w2'], [sandbox, proxy, nameServer]);
});
afterAll(() => swarm?.stop());

const WEB: Resource = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image: SYSTEM_IMAGES.sandbox, command: ['sleep', '86400'] }],
      },
    },
  },
};

it('spreads anew what a server that came later has not', { timeout: 240_000 }, async () => {
  const engine = createTestEngine(swarm.manager.client);
  await swarm.setNode('w1', { Labels: { [APPLICATIONS_LABEL]: 'true' } });
  await settle(engine, desire([WEB]));
  const before = await engine.fleet(never);
  await swarm.setNode('w2', { Labels: { [APPLICATIONS_LABEL]: 'true' } });

  const [uneven] = planRebalance(await engine.fleet(never));
  expect(uneven).toMatchObject({ surplus: 2, before: { w1: 4 }, after: { w1: 2, w2: 2 } });
  const wish = { id: '1', resource: 'Deployment/default/web', surplus: 2, until: Infinity };
  const rebalance = [wish];
  const fewest = { running: 4 };
  await settle(engine, { ...desire([WEB]), rebalance }, ({ serving, resources }) => {
    fewest.running = Math.min(fewest.running, resources[0]?.replicas?.ready ?? 0);
    return serving;
  });
  expect(fewest.running).toBe(4);

  const after = await engine.fleet(never);
  expect(planRebalance(after)).toEqual([]);
  const slots = new Set(before.tasks.map(slotOf));
  const stayed = after.tasks.filter((task) => task.isWanted && slots.has(slotOf(task)));
  expect(stayed).toHaveLength(2);
  await settle(engine, desire([]));
  await engine.close();
});

function slotOf({ service, slot }: FleetTask): string {
  return `${service} ${slot}`;
}
