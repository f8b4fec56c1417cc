import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { connectRedis } from './redis.ts';
import { readStream, writeStream } from './stream.ts';

/** The time within which one side hears that the other is gone. */
const LOST_MS = 20_000;
const NEVER = new AbortController().signal;

let folder = '';
let server: Running & { url: string };
let redis: Redis;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-stream-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

interface Read {
  values: unknown[];
  error: unknown;
  ms: number;
}

/** Reads to the end what `begin` makes somebody write. */
async function read(id: string, begin: () => void, signal = NEVER): Promise<Read> {
  const values: unknown[] = [];
  const start = Date.now();
  const error: unknown = await readStream(
    redis,
    id,
    {
      onReady: async () => begin(),
      onMessage: (message) => void values.push(message.kind === 'line' ? message.value : message),
    },
    signal,
  ).catch((failure: unknown) => failure);
  return { values, error, ms: Date.now() - start };
}

describe.concurrent('a stream', () => {
  it('is read until its writer ends, however long that says nothing', async () => {
    async function* produce(): AsyncGenerator<string> {
      yield 'one';
      await sleep(LOST_MS + 6_000);
      yield 'two';
    }
    const found = await read('quiet', () => void writeStream(redis, 'quiet', produce, NEVER));
    expect(found).toMatchObject({ values: ['one', 'two', { kind: 'end' }], error: undefined });
  });

  it('ends with an error where the writer is gone without a word', async () => {
    const worker = connectRedis(server.url);
    const killed = new AbortController();
    async function* produce(): AsyncGenerator<string> {
      yield 'one';
      worker.disconnect();
      await sleep(60_000, undefined, { signal: killed.signal });
    }
    let writing: Promise<unknown> = Promise.resolve();
    const { values, error, ms } = await read('killed', () => {
      writing = writeStream(worker, 'killed', produce, NEVER).catch(() => undefined);
    });
    expect(values).toEqual(['one']);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(ms).toBeLessThan(LOST_MS + 5_000);
    killed.abort();
    await writing;
  });

  it('ends with an error where nobody ever writes', async () => {
    const { values, error } = await read('none', () => undefined);
    expect(values).toEqual([]);
    expect(error).toMatchObject({ code: 'unavailable' });
  });

  it('ends without an error where the reader has enough, and the writer hears of it', async () => {
    const enough = new AbortController();
    let isStopped = false;
    async function* produce(signal: AbortSignal): AsyncGenerator<string> {
      yield 'one';
      enough.abort();
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
      isStopped = signal.aborted;
    }
    let writing: Promise<void> = Promise.resolve();
    const { error } = await read(
      'enough',
      () => {
        writing = writeStream(redis, 'enough', produce, NEVER);
      },
      enough.signal,
    );
    expect(error).toBeUndefined();
    await writing;
    expect(isStopped).toBe(true);
  });
});
