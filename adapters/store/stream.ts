import type { Redis } from 'ioredis';
import { subscribe } from './subscribe.ts';

const ALIVE_SECONDS = 15;
const REFRESH_MS = 5_000;

/** A message of a stream between a worker and one reader: a line, or that it ended (with the reason when it failed). */
export type StreamMessage = { kind: 'line'; value: unknown } | { kind: 'end'; error?: string };

/**
 * The reader's side. It is subscribed once `onReady` is called, which is the time to ask for the stream; while it
 * listens a key says so, and when it goes the writer hears of it within 15 s.
 */
export async function readStream(
  redis: Redis,
  id: string,
  handlers: { onReady: () => Promise<void>; onMessage: (message: StreamMessage) => void },
  signal: AbortSignal,
): Promise<void> {
  const alive = aliveKey(id);
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  await redis.set(alive, '1', 'EX', ALIVE_SECONDS);
  const refresh = setInterval(() => void redis.set(alive, '1', 'EX', ALIVE_SECONDS), REFRESH_MS);
  let asked = false;
  try {
    await subscribe(redis, {
      pattern: channelOf(id),
      onMessage: (text) => {
        const message = JSON.parse(text) as StreamMessage;
        handlers.onMessage(message);
        if (message.kind === 'end') ended.abort();
      },
      onReady: async () => {
        if (asked) return;
        asked = true;
        await handlers.onReady();
      },
      signal: both,
    });
  } finally {
    clearInterval(refresh);
    await redis.del(alive);
  }
}

/** The writer's side: sends each value until the source ends or nobody reads any more. */
export async function writeStream(
  redis: Redis,
  id: string,
  produce: (signal: AbortSignal) => AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  const check = setInterval(() => {
    redis.exists(aliveKey(id)).then(
      (exists) => exists === 0 && gone.abort(),
      () => gone.abort(),
    );
  }, REFRESH_MS);
  try {
    for await (const value of produce(AbortSignal.any([signal, gone.signal]))) {
      await send(redis, id, { kind: 'line', value });
    }
    await send(redis, id, { kind: 'end' });
  } catch (error) {
    await send(redis, id, {
      kind: 'end',
      error: error instanceof Error ? error.message : String(error),
    });
  } finally {
    clearInterval(check);
  }
}

async function send(redis: Redis, id: string, message: StreamMessage): Promise<void> {
  await redis.publish(channelOf(id), JSON.stringify(message));
}

function channelOf(id: string): string {
  return `windlass:stream:${id}`;
}

function aliveKey(id: string): string {
  return `windlass:stream:${id}:alive`;
}
