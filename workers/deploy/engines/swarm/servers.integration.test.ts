import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { updateNodes } from '../../../../test/harness/update-nodes.ts';
import { createHarness } from '../../../../test/harness/servers.ts';
import type { HarnessServer } from '../../../../test/harness/server.ts';
import type { Harness } from '../../../../test/harness/servers.ts';
import type { WorkloadEngine } from './engine.ts';
import {
  createTestEngine,
  desire,
  joinSwarm,
  never,
  settle,
  takeApplications,
} from './testing/swarm-cluster.ts';

/** Until a server is said to be down, or is there again. */
const NOTICED_MS = 120_000;
const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness(['one', 'two']);
  const [one, two] = harness.servers;
  if (one === undefined || two === undefined) throw new Error('two servers are needed');
  await Promise.all(harness.servers.map((server) => server.start()));
  await Promise.all(harness.servers.map((server) => server.load([sandbox, proxy, nameServer])));
  await joinSwarm(one, [two]);
  await takeApplications(one.client);
});
afterAll(() => harness?.stop());

function daemon(): Resource {
  const labels = { app: 'web' };
  const script = 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp';
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'web',
              image: 'busybox:1.36',
              command: ['sh', '-c', script],
              readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

const SERVICE: Resource = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};

function server(name: string): HarnessServer {
  const found = harness.servers.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no server ${name}`);
  return found;
}

function startEngine(): WorkloadEngine {
  return createTestEngine(server('one').client, { connect: (name) => server(name).client });
}

/** What the command prints in the pod. */
async function run(engine: WorkloadEngine, pod: string, command: string[]): Promise<string> {
  const signal = AbortSignal.timeout(30_000);
  const workload = `Pod/default/${pod}`;
  const place = await engine.locate({ namespace: 'default', workload }, signal);
  const session = await engine.exec(place, { command }, signal);
  session.end();
  const said: Uint8Array[] = [];
  for await (const { data } of session.output) said.push(data);
  return Buffer.concat(said).toString().trim();
}

it('leads to tasks of every server from every server, and misses none on one that is drained', async () => {
  const engine = startEngine();
  const wanted = desire([daemon(), SERVICE]);
  const status = await settle(
    engine,
    wanted,
    ({ serving, resources }) => serving && resources[0]?.summary === '2 of 2 ready',
  );
  const pods = status.resources.flatMap((resource) => resource.pods ?? []);
  expect(pods).toHaveLength(2);
  for (const { name } of pods) {
    const script = 'for i in 1 2 3 4 5 6; do wget -qO- http://web/; done | sort -u | wc -l';
    expect(await run(engine, name, ['sh', '-c', script])).toBe('2');
  }
  for (const [availability, summary] of [
    ['drain', '1 of 1 ready'],
    ['active', '2 of 2 ready'],
  ] as const) {
    await updateNodes(
      server('one').client,
      ({ Spec }) => Spec.Role === 'worker',
      (spec) => ({ ...spec, Availability: availability }),
    );
    await settle(
      engine,
      wanted,
      ({ serving, resources }) => serving && resources[0]?.summary === summary,
    );
  }
  await settle(engine, desire([]));
  await engine.close();
});

function database(): Resource {
  const labels = { app: 'db' };
  const script = 'echo $(hostname) >> /data/starts; exec sleep infinity';
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas: 2,
      serviceName: 'db',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'db',
              image: 'busybox:1.36',
              command: ['sh', '-c', script],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
        },
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

/** Names of the volumes of claims on the server. */
async function volumesOn(name: string): Promise<string[]> {
  const { Volumes } = await callDocker<{ Volumes: { Name: string }[] | null }>(
    server(name).client,
    {
      method: 'GET',
      path: '/volumes',
      query: { filters: JSON.stringify({ label: ['windlass.dev/role=claim'] }) },
      signal: never,
    },
  );
  return (Volumes ?? []).map((volume) => volume.Name.replace(/-[0-9a-f]{14}$/, '')).toSorted();
}

it('waits for a server that died with a volume, and goes on with what is in it', async () => {
  const engine = startEngine();
  const wanted = desire([database()]);
  await settle(engine, wanted);
  const places = new Map(
    await Promise.all(['one', 'two'].map(async (name) => [name, await volumesOn(name)] as const)),
  );
  expect(new Set([...places.values()].flat())).toEqual(
    new Set(['claim-data-db-0', 'claim-data-db-1']),
  );
  expect(places.get('one')).toHaveLength(1);
  const pod = places.get('two')?.[0]?.replace('claim-data-', '') ?? '';
  const before = await run(engine, pod, ['cat', '/data/starts']);
  expect(before).toBe(pod);
  await server('two').kill();
  const down = await settle(
    engine,
    wanted,
    ({ resources }) => resources[0]?.health.reason.includes('it is down') === true,
    NOTICED_MS,
  );
  expect(down.resources[0]?.health).toMatchObject({ status: 'Degraded' });
  expect(down.resources[0]?.health.reason).toContain(
    `its volume data-${pod} is on server two, and it is down: it waits for that server`,
  );
  expect(await volumesOn('one')).toEqual(places.get('one'));
  await server('two').start();
  await settle(engine, wanted, ({ serving }) => serving, NOTICED_MS);
  expect(await run(engine, pod, ['cat', '/data/starts'])).toBe(`${pod}\n${pod}`);
  expect(await volumesOn('one')).toEqual(places.get('one'));
  await settle(engine, desire([]));
  expect(await volumesOn('two')).toEqual(places.get('two'));
  await engine.close();
});
