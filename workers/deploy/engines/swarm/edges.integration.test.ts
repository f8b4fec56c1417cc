import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { messageOf } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createHarness } from '../../../../test/harness/servers.ts';
import type { HarnessServer } from '../../../../test/harness/server.ts';
import type { Harness } from '../../../../test/harness/servers.ts';
import type { WorkloadEngine } from './engine.ts';
import { createTestEngine, desire, joinSwarm, never, settle } from './testing/swarm-cluster.ts';

const { sandbox, proxy, nameServer, probe } = SYSTEM_IMAGES;
const NODE_PORT = 30_080;
const PATIENCE = { timeout: 120_000, interval: 500 };
/** Asks for so long, each time on a connection of its own; prints how many answers there were of each kind. */
const ASK = `
const [address, milliseconds] = process.argv.slice(1);
const end = Date.now() + Number(milliseconds);
const answers = {};
do {
  const signal = AbortSignal.timeout(8000);
  const headers = { connection: 'close' };
  const said = await fetch('http://' + address + '/', { signal, headers }).then(
    async (answer) => answer.status + ' ' + (await answer.text()).trim(),
    (error) => String(error.cause?.code ?? error.name),
  );
  answers[said] = (answers[said] ?? 0) + 1;
} while (Date.now() < end);
process.stdout.write(JSON.stringify(answers));
`;

let harness: Harness;
let manager: HarnessServer;
let workers: HarnessServer[];
let engine: WorkloadEngine;

beforeAll(async () => {
  harness = await createHarness(['m', 'a', 'b']);
  await Promise.all(harness.servers.map((server) => server.start()));
  await Promise.all(
    harness.servers.map((server) => server.load([sandbox, proxy, nameServer, probe])),
  );
  const [first, ...others] = harness.servers;
  if (first === undefined) throw new Error('three servers are needed');
  [manager, workers] = [first, others];
  await joinSwarm(manager, workers);
  engine = startEngine();
});
afterAll(async () => {
  await engine?.close();
  await harness?.stop();
});

function startEngine(declared = true): WorkloadEngine {
  return createTestEngine(manager.client, {
    installation: 'edges',
    declared,
    connect: (name) => harness.servers.find((server) => server.name === name)?.client,
  });
}

function app(replicas: number): Resource[] {
  const labels = { app: 'web' };
  const script = 'mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www';
  const httpGet = { path: '/', port: 8080 };
  const container = {
    name: 'web',
    image: sandbox,
    command: ['sh', '-c', script],
    livenessProbe: { httpGet, periodSeconds: 1 },
    readinessProbe: { httpGet, periodSeconds: 1 },
  };
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const paths = [{ path: '/', pathType: 'Prefix', backend }];
  return [
    {
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
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        type: 'NodePort',
        selector: labels,
        ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT, appProtocol: 'http' }],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: { rules: [{ http: { paths } }] },
    },
  ];
}

/** As a client outside of the fleet does: how often it got which answer. */
async function ask(address: string, forMs = 0): Promise<Record<string, number>> {
  const args = ['--input-type=module', '-e', ASK, address, String(forMs)];
  return JSON.parse(await harness.network.run([process.execPath, ...args])) as Record<
    string,
    number
  >;
}

async function serverOfTask(): Promise<string> {
  const nodes = await callDocker<{ ID: string; Description: { Hostname: string } }[]>(
    manager.client,
    { method: 'GET', path: '/nodes', signal: never },
  );
  const filters = JSON.stringify({ 'desired-state': ['running'] });
  const tasks = await callDocker<{ NodeID: string; Status: { State: string } }[]>(manager.client, {
    method: 'GET',
    path: '/tasks',
    query: { filters },
    signal: never,
  });
  const running = tasks.find(({ Status }) => Status.State === 'running');
  return nodes.find(({ ID }) => ID === running?.NodeID)?.Description.Hostname ?? '';
}

/** A Docker that answers, and can do nothing. */
async function startSick(): Promise<{ client: Docker; stop: () => void }> {
  const server = createServer((request, response) => {
    const isPing = request.url?.startsWith('/_ping') === true;
    response.writeHead(isPing ? 200 : 500).end(isPing ? 'OK' : '{"message":"it is sick"}');
  });
  const path = join(await mkdtemp(join(tmpdir(), 'windlass-sick-')), 'docker.sock');
  server.listen(path);
  await once(server, 'listening');
  return { client: connectDocker(`unix://${path}`), stop: () => void server.close() };
}

it('goes on without a server whose Docker can do nothing, and tells of it', async () => {
  const sick = await startSick();
  const other = createTestEngine(manager.client, {
    declared: false,
    connect: (name) =>
      name === 'b' ? sick.client : harness.servers.find((server) => server.name === name)?.client,
  });
  const [deployment] = app(1);
  await settle(other, desire(deployment === undefined ? [] : [deployment]), undefined, 120_000);
  expect([...other.serverProblems()]).toEqual([['b', 'it is sick']]);
  await expect
    .poll(() => other.reconcile([desire([])], never).then(() => 'done', messageOf), PATIENCE)
    .toMatch(/network .* is still to be removed: it cannot be done on b$/);
  await other.close();
  sick.stop();
}, 300_000);

it('serves Ingresses and nodePorts from every worker, and from no manager', async () => {
  await settle(engine, desire(app(1)), undefined, 120_000);
  for (const { address } of workers) {
    expect(await ask(address)).toEqual({ '200 hello': 1 });
    expect(await ask(`${address}:${NODE_PORT}`)).toEqual({ '200 hello': 1 });
  }
  expect(await ask(manager.address)).toEqual({ ECONNREFUSED: 1 });
});

it('goes on with another server when one dies, with nobody to tell it anything', async () => {
  const lost = await serverOfTask();
  const dead = workers.find(({ name }) => name === lost);
  const left = workers.find(({ name }) => name !== lost);
  if (dead === undefined || left === undefined) throw new Error(`no worker is ${lost}`);
  // No pass is made from here on: Swarm alone starts the task elsewhere, and the edge finds it.
  await dead.kill();
  await expect
    .poll(() => ask(left.address), { timeout: 120_000, interval: 500 })
    .toEqual({ '200 hello': 1 });
  expect(await ask(left.address, 2_000)).toEqual({ '200 hello': expect.any(Number) });
  await dead.start();
  await expect
    .poll(() => ask(dead.address), { timeout: 120_000, interval: 500 })
    .toEqual({ '200 hello': 1 });
});

async function ours({ client }: HarnessServer): Promise<string[]> {
  const filters = JSON.stringify({ label: ['windlass.dev/installation'] });
  const request = { method: 'GET', path: '/containers/json', signal: never } as const;
  const found = await callDocker<{ Names: string[]; Status: string }[]>(client, {
    ...request,
    query: { all: true, filters },
  });
  return found.map(({ Names, Status }) => `${Names.join(' ')}: ${Status}`);
}

it('takes its own containers away where it is declared no more, and from a server that comes back', async () => {
  const [dead, left] = workers;
  if (dead === undefined || left === undefined) throw new Error('two workers are needed');
  await dead.kill();
  await settle(engine, desire([]), undefined, 120_000);
  expect(await ours(left)).not.toEqual([]);
  const retired = startEngine(false);
  async function pass(): Promise<string> {
    return retired.reconcile([], never).then(() => 'done', messageOf);
  }
  await expect.poll(pass, PATIENCE).toMatch(/^the network .* it cannot be done on [ab]$/);
  for (const server of [manager, left]) await expect.poll(() => ours(server), PATIENCE).toEqual([]);
  await dead.start();
  expect(await ours(dead)).not.toEqual([]);
  await expect.poll(pass, PATIENCE).toBe('done');
  // With what was a task, which Swarm may have forgotten.
  await expect.poll(() => ours(dead), PATIENCE).toEqual([]);
  await retired.close();
}, 300_000);
