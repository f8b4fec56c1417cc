import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lease } from '#core/ports.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { createLease } from './lease.ts';
import { connectRedis } from './redis.ts';

const TTL_MS = 30_000;

let folder = '';
let server: Running & { url: string };
let redis: Redis;
let lease: Lease;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-lease-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
  lease = createLease(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

it('has one holder, who may come back under its name', async () => {
  expect(await lease.acquire('a', 'one', TTL_MS)).toBe(true);
  expect(await lease.acquire('a', 'two', TTL_MS)).toBe(false);
  expect(await lease.acquire('a', 'one', TTL_MS)).toBe(true);
  expect(await lease.renew('a', 'two', TTL_MS)).toBe(false);
  await lease.release('a', 'two');
  expect(await lease.renew('a', 'one', TTL_MS)).toBe(true);
  await lease.release('a', 'one');
  expect(await lease.acquire('a', 'two', TTL_MS)).toBe(true);
});

it('lasts no longer than it can where the clock was set back', async () => {
  expect(await lease.acquire('b', 'one', TTL_MS)).toBe(true);
  await redis.pexpire('windlass:lease:b', 3_600_000);
  expect(await lease.acquire('b', 'two', TTL_MS)).toBe(false);
  expect(await redis.pttl('windlass:lease:b')).toBeLessThanOrEqual(TTL_MS);
});
