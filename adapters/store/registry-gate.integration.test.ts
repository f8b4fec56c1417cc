import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Redis } from 'ioredis';
import type { RegistryGate } from '#core/ports.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { connectRedis } from './redis.ts';
import { createRegistryGate } from './registry-gate.ts';

const PATIENCE_MS = 60_000;
const signal = AbortSignal.timeout(100_000);
let folder = '';
let server: Running & { url: string };
let redis: Redis;
let gate: RegistryGate;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-gate-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await redis.flushall();
  gate = createRegistryGate(redis);
});

it('lets many push at once, and nobody while it collects', async () => {
  let pushing = 0;
  let most = 0;
  let collections = 0;
  let waits = 0;
  async function push(): Promise<void> {
    await gate.push(
      async () => {
        pushing += 1;
        most = Math.max(most, pushing);
        await sleep(30);
        pushing -= 1;
      },
      () => {
        waits += 1;
      },
      signal,
    );
  }
  async function collect(): Promise<void> {
    const done = await gate.collect(
      async () => {
        expect(pushing).toBe(0);
        collections += 1;
        await until(() => waits > 0);
        expect(pushing).toBe(0);
      },
      PATIENCE_MS,
      signal,
    );
    expect(done).toBe(true);
  }
  const pushes = Array.from({ length: 4 }, async () => {
    for (let round = 0; round < 10; round += 1) await push();
  });
  for (let round = 0; round < 5; round += 1) await collect();
  await Promise.all(pushes);
  expect(most).toBeGreaterThan(1);
  expect(collections).toBe(5);
});

it('does not collect where a push goes on, or another collection', async () => {
  const { promise: ends, resolve: end } = Promise.withResolvers<void>();
  const pushing = gate.push(
    () => ends,
    () => undefined,
    signal,
  );
  async function refuse(): Promise<void> {
    throw new Error('it must not collect');
  }
  await expect.poll(() => redis.zcard('windlass:registry:pushing')).toBe(1);
  expect(await gate.collect(refuse, 0, signal)).toBe(false);
  end();
  await pushing;
  const done = await gate.collect(
    async () => {
      expect(await gate.collect(refuse, 0, signal)).toBe(false);
    },
    PATIENCE_MS,
    signal,
  );
  expect(done).toBe(true);
});

it('lets go of what failed, and of a push whose worker was killed', async () => {
  await expect(
    gate.collect(() => Promise.reject(new Error('the registry is gone')), 0, signal),
  ).rejects.toThrow('the registry is gone');
  await redis.zadd('windlass:registry:pushing', Date.now() - 1, 'of a worker that was killed');
  expect(await gate.collect(async () => undefined, 0, signal)).toBe(true);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10, undefined, { signal });
}
