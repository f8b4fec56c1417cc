import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { connectRedis } from '#adapters/store/redis.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { ProblemList } from '#core/api/problem.ts';
import { createRepository } from '../../test/support/repository.ts';
import type { Repository } from '../../test/support/repository.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { openClusterRegistry } from './cluster-registry.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';

const FILE = 'pipelines/all.yaml';
const VALID = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: hello }
spec: { deploy: [{ cluster: local, manifests: deploy }] }
`;

let folder: string;
let redis: Running & { url: string };
let connection: Redis;
let work: Repository;
let server: RunningServer;

function start(): Promise<RunningServer> {
  return startServer({
    stateDir: join(folder, 'state'),
    listen: '127.0.0.1:0',
    redisUrl: redis.url,
    config: '/git/config.git',
    environment: { PATH: process.env['PATH'] },
    log: pino({ level: 'silent' }),
  });
}

async function push(): Promise<void> {
  const url = `${server.url.replace('://', `://x:${server.adminToken}@`)}/git/config.git`;
  const pushed = await work.git('push', '--force', url, 'main');
  expect(pushed.output).toContain('in force: 1 pipeline, 1 cluster');
}

/** As a commit is that an earlier version took: it is there, and nobody checked it. */
async function putInvalid(): Promise<void> {
  await work.commit({ [FILE]: VALID.replace('manifests', 'manifest') });
  const put = await work.git('push', join(folder, 'state', 'git', 'config.git'), 'main');
  expect(put.code).toBe(0);
}

async function problems(): Promise<string> {
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const response = await fetch(`${server.url}/api/v1/problems`, { headers });
  const { problems: all } = ProblemList.parse(await response.json());
  return all.map(({ of, message }) => `${of}: ${message}`).join('\n');
}

async function retired(): Promise<string[]> {
  const registry = await openClusterRegistry(join(folder, 'state', 'clusters.json'));
  return Object.keys(registry.retired());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-invalid-start-'));
  redis = await startRedis(join(folder, 'redis'));
  connection = connectRedis(redis.url);
  work = await createRepository();
});
afterAll(async () => {
  connection.disconnect();
  await redis.stop();
  await work.remove();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  server = await start();
  await work.commit({ [FILE]: VALID });
  await push();
  await server.close();
  await putInvalid();
});
afterEach(() => server.close());

it('leaves all that is declared as it is, and tells why', async () => {
  server = await start();
  const { clusters, pipelines, retired: gone } = await createSharedState(connection).declarations();
  expect([clusters, pipelines, gone].map(Object.keys)).toEqual([['local'], ['hello'], []]);
  expect(await retired()).toEqual([]);
  expect(await problems()).toContain(`configuration: ${FILE}:`);
});

it('tells nothing to be gone where Redis has lost what was declared, until it is corrected', async () => {
  await connection.flushall();
  server = await start();
  expect(await problems()).toContain(`configuration: ${FILE}:`);
  expect(await connection.exists('windlass:declarations')).toBe(0);
  expect(await retired()).toEqual([]);
  await work.commit({ [FILE]: VALID });
  await push();
  await vi.waitFor(async () => {
    const { clusters } = await createSharedState(connection).declarations();
    expect(Object.keys(clusters)).toEqual(['local']);
  });
  expect(await retired()).toEqual([]);
});
