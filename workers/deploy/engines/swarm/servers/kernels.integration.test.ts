import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { Engine } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';
import { createHarness } from '../../../../../test/harness/servers.ts';
import type { Harness } from '../../../../../test/harness/servers.ts';
import { createFleetEngine } from '../fleet.ts';

const SIGNAL = new AbortController().signal;
const SET_UP_MS = 180_000;
const engines: Engine[] = [];
let harness: Harness;

beforeAll(async () => {
  harness = await createHarness(['s1']);
  for (const server of harness.servers) {
    await server.start();
    await server.load([SYSTEM_IMAGES.sandbox]);
  }
}, SET_UP_MS);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  await harness?.stop();
});

function clusterOf(encrypted: boolean): Cluster {
  return Cluster.parse({
    apiVersion: 'windlass.dev/v1',
    kind: 'Cluster',
    metadata: { name: 'fleet' },
    spec: {
      engine: 'swarm',
      network: { encrypted },
      servers: harness.servers.map(({ name, docker, address }) => ({
        name,
        docker,
        advertise: address,
        role: 'manager',
      })),
    },
  });
}

function engineOf(encrypted: boolean): Engine {
  const engine = createFleetEngine({
    cluster: clusterOf(encrypted),
    installation: 'test',
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
    retired: false,
    connect: (reach) => {
      const { docker } = JSON.parse(reach) as { docker: string };
      return { docker: connectDocker(docker), close: () => undefined };
    },
  });
  engines.push(engine);
  return engine;
}

/** Whether one pass without applications tells of it. */
async function tells(engine: Engine): Promise<boolean> {
  const { fleet } = await engine.reconcile([], SIGNAL);
  return fleet !== undefined && isTold(fleet.status);
}

function isTold({ servers }: FleetStatus): boolean {
  return servers.some(({ problem = '' }) => problem.includes('its kernel has no ESP'));
}

function list<T>(path: string): Promise<T[]> {
  const [server] = harness.servers;
  if (server === undefined) throw new Error('there is one');
  return callDocker<T[]>(server.client, { method: 'GET', path, signal: SIGNAL });
}

/** Whether this machine's kernel was built without what encrypts; absent where it does not say. */
async function saysItLacks(): Promise<boolean | undefined> {
  try {
    const config = gunzipSync(await readFile('/proc/config.gz')).toString('utf8');
    return !/^CONFIG_INET_ESP=[ym]$/m.test(config);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}

it('tells of a kernel that cannot encrypt, where that is to be, before anything is released', async ({
  skip,
}) => {
  const lacks = await saysItLacks();
  if (lacks === undefined)
    skip('this kernel does not say what it was built with: /proc/config.gz is not there');
  const engine = engineOf(true);
  expect(await tells(engine)).toBe(lacks);
  const planned = await engine.planServers(clusterOf(true).spec.servers, SIGNAL);
  expect(isTold(planned)).toBe(lacks);
  // What looked at it is gone.
  const names = (await list<{ Names: string[] }>('/containers/json?all=true')).flatMap(
    ({ Names }) => Names,
  );
  expect(names.filter((name) => name.startsWith('/kernel.'))).toEqual([]);
  expect(await tells(engineOf(false))).toBe(false);
});
