import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { startRedis } from '../../test/tools/redis.ts';
import { connectRedis, isRefusal } from './redis.ts';

it('connects anew where what it is connected to has become a replica', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-redis-'));
  const server = await startRedis(folder);
  const other = connectRedis(server.url);
  const redis = connectRedis(server.url);
  try {
    await redis.set('a', 1);
    const before = await redis.client('ID');
    await other.replicaof('127.0.0.1', 1);
    const refusal: unknown = await redis.set('a', 2).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ message: expect.stringContaining('READONLY') });
    expect(isRefusal(refusal)).toBe(true);
    await other.replicaof('NO', 'ONE');
    await vi.waitFor(async () => expect(await redis.client('ID')).not.toBe(before));
    await redis.set('a', 3);
    expect(await redis.get('a')).toBe('3');
  } finally {
    redis.disconnect();
    other.disconnect();
    await server.stop();
    await rm(folder, { recursive: true });
  }
});
