import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { declaredServers } from '#core/swarm/servers/declared-servers.ts';
import type { HarnessServer } from '../../../../../test/harness/server.ts';
import { createHarness } from '../../../../../test/harness/servers.ts';
import type { Harness } from '../../../../../test/harness/servers.ts';
import { createServerKeeper } from './keep-servers.ts';
import type { ServerKeeper } from './keep-servers.ts';

const SIGNAL = new AbortController().signal;
/** On each server something else; Docker takes it without TLS. */
const OWN = '127.0.0.1:5000';
const IMAGE = `${OWN}/team/web:1`;
/** What only its own pods are to suffer from. */
const MISNAMED = '127.0.0.1:5001/team/a b:1';
const { sandbox } = SYSTEM_IMAGES;
const JOINS_MS = 150_000;
const TEST_MS = 300_000;

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness(['s1', 's2']);
  await Promise.all(harness.servers.map((server) => server.start()));
  await harness.servers[0]?.load([sandbox]);
});
afterAll(() => harness.stop());

it(
  'no server joins that does not reach the registry of what runs or is to run, unless that is away for all',
  { timeout: TEST_MS },
  async () => {
    const [s1, s2] = harness.servers;
    if (s1 === undefined || s2 === undefined) throw new Error('two servers are needed');
    const alone = keeperOf([s1]);
    await alone.keep({}, SIGNAL);
    alone.close();
    const registry = await answerOn(s1);
    const refused = `it could pull nothing: the registry of ${IMAGE} cannot be reached: `;
    // Nothing runs as yet.
    const first = keeperOf([s1, s2]);
    const { status: before } = await first.keep({ images: [IMAGE] }, SIGNAL);
    expect(JSON.stringify(before)).toContain(refused);
    first.close();
    await post(s1, '/services/create', {
      Name: 'web',
      Labels: { 'windlass.dev/resource': 'Deployment/default/web' },
      TaskTemplate: { ContainerSpec: { Image: IMAGE } },
      Mode: { Replicated: { Replicas: 0 } },
    });
    const keeper = keeperOf([s1, s2]);
    const { status } = await keeper.keep({}, SIGNAL);
    expect(JSON.stringify(status)).toContain(refused);
    expect(await nodesOf(s1)).toHaveLength(1);
    const path = `/containers/${registry}`;
    await callDocker(s1.client, {
      method: 'DELETE',
      path,
      query: { force: true },
      signal: SIGNAL,
    });
    const end = Date.now() + JOINS_MS;
    while ((await nodesOf(s1)).length < 2 && Date.now() < end) {
      await sleep(1_000);
      await keeper.keep({ images: [MISNAMED] }, SIGNAL);
    }
    expect(await nodesOf(s1)).toHaveLength(2);
    keeper.close();
  },
);

/** Something that answers as a registry without that image does; answers its container. */
async function answerOn(server: HarnessServer): Promise<string> {
  const { Id } = await post<{ Id: string }>(server, '/containers/create', {
    Image: sandbox,
    Cmd: ['httpd', '-f', '-p', OWN, '-h', '/tmp'],
    HostConfig: { NetworkMode: 'host' },
  });
  await post(server, `/containers/${Id}/start`);
  return Id;
}

function post<T>({ client }: HarnessServer, path: string, body: object = {}): Promise<T> {
  return callDocker<T>(client, { method: 'POST', path, body, signal: SIGNAL });
}

/** The first of them is the manager. */
function keeperOf(servers: readonly HarnessServer[]): ServerKeeper {
  return createServerKeeper({
    cluster: 'fleet',
    installation: 'i1',
    declared: declaredServers(
      servers.map(({ name, address, docker }, index) => ({
        name,
        docker,
        advertise: address,
        role: index === 0 ? ('manager' as const) : ('worker' as const),
      })),
    ),
    connect: (reach) => {
      const { docker } = JSON.parse(reach) as { docker: string };
      return { docker: connectDocker(docker), close: () => undefined };
    },
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
  });
}

function nodesOf({ client }: HarnessServer): Promise<unknown[]> {
  return callDocker<unknown[]>(client, { method: 'GET', path: '/nodes', signal: SIGNAL });
}
