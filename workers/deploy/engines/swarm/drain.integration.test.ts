import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readFile } from '#adapters/docker/archive.ts';
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
import type { RunningLoad } from '../../../../test/tools/load.ts';
import { createFleetEngine } from './fleet.ts';
import { desire, never } from './testing/swarm-cluster.ts';

const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
const NODE_PORT = 30_081;
const DRAINS = /"Availability":"drain"/;
const LISTS_RECORDS = /^GET (?:\/v[\d.]+)?\/configs\?/;
/** Longer than tasks take to end. */
const SLOW_MS = 15_000;
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

/** Says its name, and ends a second after it is told to. */
function app({ name, replicas, nodePort }: App): Resource[] {
  const labels = { app: name };
  const script = `mkdir /www; sleep 2; echo ${name} > /www/index.html; exec httpd -f -p 8080 -h /www`;
  const container = {
    name: 'web',
    image: sandbox,
    command: ['sh', '-c', script],
    readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 1, containers: [container] },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: {
        type: 'NodePort',
        selector: labels,
        // By no protocol, proxies try nothing again.
        ports: [{ port: 80, targetPort: 8080, nodePort }],
      },
    },
  ];
}

interface App {
  name: string;
  replicas: number;
  nodePort: number;
}

function server(name: string): HarnessServer {
  const found = harness.servers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no server ${name}`);
  return found;
}

/** Servers on which the application runs, one for each pod. */
async function placesOf(app: string): Promise<string[]> {
  const found = await Promise.all(
    harness.servers.map(async ({ name, client }) => {
      const path = '/containers/json';
      const all = await callDocker<{ Command: string }[]>(client, {
        method: 'GET',
        path,
        signal: never,
      });
      return all.filter(({ Command }) => Command.includes(`echo ${app} `)).map(() => name);
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

/** Asks the port of the manager's server. */
async function startLoadOf(
  name: string,
  port: number,
): Promise<{ load: RunningLoad; close: () => Promise<void> }> {
  const path = join(folder, `${name}.sock`);
  await harness.network.lead({ path }, { host: server('s1').address, port });
  const door = await startGate({ path });
  const load = startLoad({ url: `http://127.0.0.1:${door.address.port}/`, clients: 4 });
  return { load, close: () => door.close() };
}

/** Addresses on the cluster's network that the application has on the server. */
async function addressesOf(app: string, { client }: HarnessServer): Promise<string[]> {
  const all = await callDocker<
    { Command: string; NetworkSettings: { Networks: Record<string, { IPAddress: string }> } }[]
  >(client, { method: 'GET', path: '/containers/json', signal: never });
  return all
    .filter(({ Command }) => Command.includes(`echo ${app} `))
    .flatMap(({ NetworkSettings }) =>
      Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress),
    );
}

/** What the proxies of the server lead to, as they are written. */
async function leadsOf({ client }: HarnessServer): Promise<string> {
  const found = await Promise.all(
    ['proxy', 'edge'].map(async (role) => {
      const filters = JSON.stringify({ label: [`windlass.dev/role=${role}`] });
      const [container] = await callDocker<{ Id: string }[]>(client, {
        method: 'GET',
        path: '/containers/json',
        query: { filters },
        signal: never,
      });
      const file = `/windlass/${role}/haproxy.cfg`;
      return readFile(client, container?.Id ?? '', file, never);
    }),
  );
  return found.join('\n');
}

/**
 * Docker does at once what it is asked when a server is to be drained, and the worker hears of it so much later. Answers which
 * servers' proxies led to the application there when it was asked; nothing before.
 */
function slowDrain(app: string, from: string): () => readonly string[] | undefined {
  let leading: string[] | undefined;
  const held = gate?.hold(DRAINS, 'answer');
  void held?.reached.then(async () => {
    await sleep(SLOW_MS);
    held.release();
  });
  gate?.inspect(async (request): Promise<'pass'> => {
    if (leading !== undefined || !DRAINS.test(request)) return 'pass';
    const addresses = await addressesOf(app, server(from));
    const texts = await Promise.all(harness.servers.map(leadsOf));
    leading = addresses.length === 0 ? ['it does not run there'] : [];
    for (const [index, text] of texts.entries())
      if (addresses.some((address) => text.includes(` ${address}:`)))
        leading.push(harness.servers[index]?.name ?? '');
    return 'pass';
  });
  return () => leading;
}

it(
  'loses no request when the server of an only replica is drained, and a pass fails meanwhile',
  { timeout: TEST_MS },
  async () => {
    const desired = desire(app({ name: 'web', replicas: 1, nodePort: NODE_PORT }));
    await declare();
    await settle(desired);
    const [from = ''] = await placesOf('web');
    const { load, close } = await startLoadOf('web', NODE_PORT);
    done.length = 0;
    const countRefused = refuseAfterPause();
    await declare(from);
    await settle(desired);
    await vi.waitFor(
      async () => expect(await placesOf('web')).toEqual([from === 's2' ? 's3' : 's2']),
      BECOMES_MS,
    );
    const { failures, answered } = await load.stop();
    await close();
    expect(countRefused()).toBe(1);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    expect(done).toEqual([`pause ${from}`, `drain ${from}`]);
  },
);

it(
  'drains a server once no proxy leads there, so that no request is lost however slow the worker is',
  { timeout: TEST_MS },
  async () => {
    const pair = { name: 'pair', replicas: 2, nodePort: NODE_PORT + 1 };
    const desired = desire(app(pair), 'shop/pair');
    await declare();
    await settle(desired);
    expect((await placesOf('pair')).toSorted()).toEqual(['s2', 's3']);
    const { load, close } = await startLoadOf('pair', pair.nodePort);
    done.length = 0;
    const leading = slowDrain('pair', 's3');
    await declare('s3');
    await settle(desired);
    await vi.waitFor(async () => expect(await placesOf('pair')).toEqual(['s2', 's2']), BECOMES_MS);
    const { failures, answered } = await load.stop();
    await close();
    expect(leading()).toEqual([]);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(0);
    expect(done).toEqual(['pause s3', 'drain s3']);
  },
);
