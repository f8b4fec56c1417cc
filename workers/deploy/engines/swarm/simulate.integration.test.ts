import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { simulateLoss } from '#core/swarm/simulate/lose.ts';
import type { Fleet } from '#core/swarm/simulate/fleet.ts';
import { startHarnessSwarm } from '../../../../test/harness/swarm.ts';
import type { HarnessSwarm } from '../../../../test/harness/swarm.ts';
import { createTestEngine, never } from './testing/swarm-cluster.ts';

const PATIENCE_MS = 100_000;
const POLL_MS = 500;

let swarm: HarnessSwarm;
beforeAll(async () => {
  swarm = await startHarnessSwarm(['m1', 'w1', 'w2', 'w3'], [SYSTEM_IMAGES.sandbox]);
  // Without the label it would be a zone of its own that Swarm tries to fill.
  await swarm.setNode('m1', { Availability: 'drain', Labels: { zone: 'a' } });
  await swarm.setNode('w1', { Labels: { zone: 'a' } });
  for (const name of ['w2', 'w3']) await swarm.setNode(name, { Labels: { zone: 'b', big: 'yes' } });
});
afterAll(() => swarm?.stop());

/** So many tasks that do nothing. */
async function create(
  name: string,
  replicas: number,
  more: { task?: object; ports?: object[] } = {},
): Promise<void> {
  await swarm.ask('POST', '/services/create', {
    Name: name,
    Mode: { Replicated: { Replicas: replicas } },
    TaskTemplate: {
      ContainerSpec: { Image: SYSTEM_IMAGES.sandbox, Command: ['sleep', '86400'], Init: true },
      RestartPolicy: { Delay: 0 },
      ...more.task,
    },
    EndpointSpec: { Mode: 'dnsrr', Ports: more.ports ?? [] },
  });
}

/** Tasks that are to run, as `web 3: w1 2, w2 1`, with those that have no server yet. */
function placesOf({ services, tasks, nodes }: Fleet): string[] {
  const names = new Map(nodes.map(({ id, server }) => [id, server]));
  return services
    .map(({ id, name }) => {
      const of = tasks.filter(({ service, isWanted }) => service === id && isWanted);
      const groups = Map.groupBy(of, ({ node }) => names.get(node) ?? 'nowhere');
      const counts = [...groups].map(([server, some]) => `${server} ${some.length}`);
      return `${name} ${of.length}: ${counts.toSorted().join(', ')}`;
    })
    .toSorted();
}

async function untilPlaced(read: () => Promise<Fleet>, wanted: readonly string[]): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  let places: string[] = [];
  while (Date.now() < end) {
    places = placesOf(await read());
    if (JSON.stringify(places) === JSON.stringify(wanted)) return;
    await sleep(POLL_MS);
  }
  expect(places).toEqual(wanted);
}

it('foresees what Swarm does when a server dies', { timeout: 240_000 }, async () => {
  const engine = createTestEngine(swarm.manager.client);
  function read(): Promise<Fleet> {
    return engine.fleet(never);
  }
  const [{ capacity } = { capacity: { memoryBytes: 0 } }] = (await read()).nodes;
  const MemoryBytes = Math.floor(capacity.memoryBytes * 0.6);
  await create('web', 6);
  await create('big', 2, {
    task: {
      Placement: { Constraints: ['node.labels.big==yes'] },
      Resources: { Reservations: { MemoryBytes } },
    },
  });
  await create('pinned', 1, { task: { Placement: { Constraints: ['node.hostname == w3'] } } });
  await create('zones', 4, {
    task: { Placement: { Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }] } },
  });
  await create('port', 3, {
    ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8088, PublishMode: 'host' }],
  });
  await untilPlaced(read, [
    'big 2: w2 1, w3 1',
    'pinned 1: w3 1',
    'port 3: w1 1, w2 1, w3 1',
    'web 6: w1 2, w2 2, w3 2',
    'zones 4: w1 2, w2 1, w3 1',
  ]);

  const before = await read();
  const loss = simulateLoss(before, ['w3']);
  const foreseen: Fleet = {
    ...before,
    tasks: before.tasks.map((task) => {
      const name = before.services.find(({ id }) => id === task.service)?.name;
      const of = loss.services.find(({ service }) => service === name);
      const isLost = before.nodes.find(({ id }) => id === task.node)?.server === 'w3';
      if (!isLost) return task;
      const to = of?.moves.find(({ slot }) => slot === task.slot)?.to;
      return { ...task, node: before.nodes.find(({ server }) => server === to)?.id ?? '' };
    }),
  };
  const wanted = placesOf(foreseen);
  expect(wanted).toEqual([
    'big 2: nowhere 1, w2 1',
    'pinned 1: nowhere 1',
    'port 3: nowhere 1, w1 1, w2 1',
    'web 6: w1 3, w2 3',
    'zones 4: w1 2, w2 2',
  ]);
  await swarm.servers.find(({ name }) => name === 'w3')?.kill();
  await untilPlaced(read, wanted);
  await engine.close();
});
