import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis } from '#adapters/store/redis.ts';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from '#adapters/debian/tool.ts';
import type { Tool } from '#adapters/debian/tool.ts';
import { startOf } from './identity.ts';
import { holdLock } from './lock-file.ts';
import { readPidFile } from './pid-file.ts';
import { startRedis } from './redis.ts';
import { startRegistry } from './registry.ts';

const signal = AbortSignal.timeout(300_000);
const log = pino({ level: 'silent' });
const FIRST_PORT = 5480;
const search = { tools: join(tmpdir(), 'windlass-tools'), path: process.env['PATH'] ?? '' };
let folder = '';
let redisTool: Tool;
let registryTool: Tool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-processes-'));
  redisTool = await findTool(REDIS_SERVER, search, signal);
  registryTool = await findTool(DOCKER_REGISTRY, search, signal);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('startRedis', () => {
  function start(name: string): ReturnType<typeof startRedis> {
    return startRedis({ folder: join(folder, name), tool: redisTool, log }, signal);
  }

  it('is started again after SIGKILL, with every write', async () => {
    const redis = await start('killed');
    const client = connectRedis(redis.url);
    await client.set('key', 'kept');
    const { pid } = redis;
    process.kill(pid, 'SIGKILL');
    await waitFor(() => redis.pid !== pid);
    expect(await client.get('key')).toBe('kept');
    client.disconnect();
    await redis.stop();
    expect(await startOf(redis.pid)).toBeUndefined();
  });

  it('is taken over where one was left behind', async () => {
    const left = await start('left');
    const next = await start('left');
    expect(next).toMatchObject({ adopted: true, pid: left.pid });
    await next.stop();
    await left.stop();
  });

  it('is not taken over where it was started otherwise', async () => {
    const left = await start('other');
    const file = join(folder, 'other', 'redis.pid');
    const record: object = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, configuration: 'other' }));
    const next = await start('other');
    expect(next.adopted).toBe(false);
    expect(next.pid).not.toBe(left.pid);
    await next.stop();
    await left.stop();
  });

  it('does not take another process for it that has its pid now', async () => {
    const file = join(folder, 'stale', 'redis.pid');
    const redis = await start('stale');
    await redis.stop();
    await writeFile(
      file,
      JSON.stringify({ pid: process.pid, started: 'long ago', configuration: '' }),
    );
    expect(await readPidFile(file)).toBeUndefined();
    const next = await start('stale');
    expect(next.adopted).toBe(false);
    await next.stop();
  });

  it('finds a place for its socket where the folder has a long name', async () => {
    const redis = await start('x'.repeat(120));
    expect(Buffer.byteLength(redis.url)).toBeLessThan(104);
    await redis.stop();
  });

  it('says what it said where it does not start', async () => {
    const tool = { ...redisTool, args: [...redisTool.args, '--no-such-option', 'x'] };
    const started = startRedis({ folder: join(folder, 'bad'), tool, log }, signal);
    await expect(started).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('startRegistry', () => {
  it('keeps its port and is taken over', async () => {
    const options = {
      folder: join(folder, 'registry'),
      tool: registryTool,
      log,
      firstPort: FIRST_PORT,
    };
    const first = await startRegistry(options, signal);
    const other = await startRegistry({ ...options, folder: join(folder, 'second') }, signal);
    expect(other.host).not.toBe(first.host);
    const next = await startRegistry(options, signal);
    expect(next).toMatchObject({ adopted: true, host: first.host });
    await Promise.all([next.stop(), first.stop(), other.stop()]);
    const again = await startRegistry({ ...options, firstPort: FIRST_PORT + 50 }, signal);
    expect(again).toMatchObject({ adopted: false, host: first.host });
    expect((await fetch(`http://${again.host}/v2/`)).status).toBe(200);
    await again.stop();
  });
});

it('a lock is held by one process', async () => {
  const file = join(folder, 'lock');
  const release = await holdLock(file, 'windlass');
  await expect(holdLock(file, 'windlass')).rejects.toMatchObject({ code: 'conflict' });
  await release();
  await (
    await holdLock(file, 'windlass')
  )();
});

async function waitFor(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await sleep(20);
  }
}
