import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { DesiredState, Engine, Reconciliation } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createHarness } from '../../../../test/harness/servers.ts';
import type { HarnessServer } from '../../../../test/harness/server.ts';
import type { Harness } from '../../../../test/harness/servers.ts';
import { startGate } from '../../../../test/tools/gate.ts';
import type { Gate } from '../../../../test/tools/gate.ts';
import { startLoad } from '../../../../test/tools/load.ts';
import { createFleetEngine } from './fleet.ts';
import { desire, never } from './testing/swarm-cluster.ts';

const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
const NODE_PORT = 30_081;
const LISTS_RECORDS = /^GET (?:\/v[\d.]+)?\/configs\?/;
const BECOMES_MS = 240_000;
const TEST_MS = 600_000;
let harness: Harness;
let engine: Engine | undefined;
let folder = '';
/** Before the manager's Docker, as the engine asks it. */
let gate: Gate | undefined;
/** What was done with servers, e.g. `pause s2`. */
const done: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-drain-'));
  harness = await createHarness(['s1', 's2', 's3']);
  await Promise.all(harness.servers.map((server) => server.start()));
  await Promise.all(harness.servers.map((server) => server.load([sandbox, proxy, nameServer])));
  const { docker } = server('s1');
  gate = await startGate({ path: new URL(docker).pathname }, { path: join(folder, 's1.sock') });
}, TEST_MS);
afterAll(async () => {
  await engine?.close();
  await gate?.close();
  await harness?.stop();
  await rm(folder, { recursive: true });
});

/** With that server, if there is one, to be drained. */
async function declare(drained?: string): Promise<void> {
  await engine?.close();
  const servers = harness.servers.map(({ name, address, docker }) => ({
    name,
    docker,
    advertise: address,
    role: name === 's1' ? 'manager' : 'worker',
    state: name === drained ? 'drain' : 'active',
  }));
  engine = createFleetEngine({
    cluster: Cluster.parse({
      apiVersion: 'windlass.dev/v1',
      kind: 'Cluster',
      metadata: { name: 'fleet' },
      spec: { engine: 'swarm', ingress: { servers: {} }, servers },
    }),
    installation: 'test',
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
    retired: false,
    connect: (reach) => {
      const { docker } = JSON.parse(reach) as { docker: string };
      const isGated = docker === server('s1').docker;
      const address = isGated ? `unix://${gate?.address.path}` : docker;
      return { docker: connectDocker(address), close: () => undefined };
    },
  });
}

/** Passes as the controller makes them, until the owner serves and nothing is to be done with servers. */
async function settle(desired: DesiredState): Promise<void> {
  const end = Date.now() + BECOMES_MS;
  for (;;) {
    const pass = await engine?.reconcile([desired], never);
    done.push(...(pass?.fleet?.done ?? []).map(({ step, server }) => `${step} ${server}`));
    if (pass !== undefined && isSettled(pass)) return;
    if (Date.now() > end) throw new Error(`did not settle: ${JSON.stringify(pass, undefined, 1)}`);
    await sleep(200);
  }
}

function isSettled({ owners, fleet }: Reconciliation): boolean {
  const servers = fleet?.status.servers ?? [];
  const isDone = servers.every(
    ({ state, pending, waiting, problem }) =>
      state === 'ready' && (pending ?? waiting ?? problem) === undefined,
  );
  return servers.length === harness.servers.length && isDone && owners[0]?.serving === true;
}

const LABELS = { app: 'web' };
const APP: Resource[] = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: {
          // It does not end by itself: so long proxies that were not told yet may go on to send to it.
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: 'web',
              image: sandbox,
              command: [
                'sh',
                '-c',
                'mkdir /www; sleep 2; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www',
              ],
              readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      type: 'NodePort',
      selector: LABELS,
      ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT, appProtocol: 'http' }],
    },
  },
];

function server(name: string): HarnessServer {
  const found = harness.servers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no server ${name}`);
  return found;
}

/** Servers on which the application runs, one for each pod. */
async function placesOfWeb(): Promise<string[]> {
  const found = await Promise.all(
    harness.servers.map(async ({ name, client }) => {
      const path = '/containers/json';
      const all = await callDocker<{ Command: string }[]>(client, {
        method: 'GET',
        path,
        signal: never,
      });
      return all.filter(({ Command }) => Command.includes('echo hello')).map(() => name);
    }),
  );
  return found.flat();
}

/** The next pass over applications after a pause is refused. Answers how many were. */
function refuseAfterPause(): () => number {
  let isPaused = false;
  let refused = 0;
  gate?.inspect((request) => {
    isPaused ||= request.includes('"Availability":"pause"');
    if (!isPaused || refused > 0 || !LISTS_RECORDS.test(request)) return 'pass';
    refused += 1;
    return { status: 500, message: 'rpc error: code = DeadlineExceeded' };
  });
  return () => refused;
}

it(
  'loses no request when the server of an only replica is drained, and a pass fails meanwhile',
  { timeout: TEST_MS },
  async () => {
    const desired = desire(APP);
    await declare();
    await settle(desired);
    const [from = ''] = await placesOfWeb();
    const path = join(folder, 'web.sock');
    await harness.network.lead({ path }, { host: server('s1').address, port: NODE_PORT });
    const door = await startGate({ path });
    const load = startLoad({ url: `http://127.0.0.1:${door.address.port}/`, clients: 4 });
    done.length = 0;
    const countRefused = refuseAfterPause();
    await declare(from);
    await settle(desired);
    await vi.waitFor(
      async () => expect(await placesOfWeb()).toEqual([from === 's2' ? 's3' : 's2']),
      BECOMES_MS,
    );
    const { failures, answered } = await load.stop();
    await door.close();
    expect(countRefused()).toBe(1);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    expect(done).toEqual([`pause ${from}`, `drain ${from}`]);
  },
);
