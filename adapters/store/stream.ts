import type { Redis } from 'ioredis';
import { UserError } from '#core/errors.ts';
import { subscribe } from './subscribe.ts';

const ALIVE_SECONDS = 15;
const REFRESH_MS = 5_000;

/** A message of a stream between a worker and one reader: a line, or that it ended (with the reason when it failed). */
export type StreamMessage = { kind: 'line'; value: unknown } | { kind: 'end'; error?: string };

/**
 * The reader's side. It is subscribed once `onReady` is called, which is the time to ask for the stream; the writer has
 * begun when it resolves. Each side has a key that says that it is there, which the other looks at: where one goes
 * without a word the other hears of it within 20 s, and reading fails.
 */
export async function readStream(
  redis: Redis,
  id: string,
  handlers: { onReady: () => Promise<void>; onMessage: (message: StreamMessage) => void },
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const timers = [await sayAlive(redis, readerKey(id))];
  let asked = false;
  let isLost = false;
  function lose(): void {
    if (both.aborted) return;
    isLost = true;
    ended.abort();
  }
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
        if (!both.aborted) timers.push(watch(redis, writerKey(id), lose));
      },
      signal: both,
    });
  } finally {
    for (const timer of timers) clearInterval(timer);
    await redis.del(readerKey(id));
  }
  if (isLost) {
    throw new UserError(
      'unavailable',
      'the deploy worker that sent this is not heard of any more',
      {
        hint: 'ask again: another one may have taken over, or it is back',
      },
    );
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
  // Its key stays behind until it expires, so that the reader has heard of the end by then.
  const timers = [
    await sayAlive(redis, writerKey(id)),
    watch(redis, readerKey(id), () => gone.abort()),
  ];
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
    for (const timer of timers) clearInterval(timer);
  }
}

/** The key is there from now on until the timer ends, and some seconds more. */
async function sayAlive(redis: Redis, key: string): Promise<NodeJS.Timeout> {
  async function say(): Promise<void> {
    await redis.set(key, '1', 'EX', ALIVE_SECONDS);
  }
  await say();
  return setInterval(() => {
    say().catch(() => {
      // Who looks for it finds nothing, and ends.
    });
  }, REFRESH_MS);
}

/** Looks again and again whether the key is there. */
function watch(redis: Redis, key: string, onGone: () => void): NodeJS.Timeout {
  return setInterval(() => {
    redis.exists(key).then((exists) => {
      if (exists === 0) onGone();
    }, onGone);
  }, REFRESH_MS);
}

async function send(redis: Redis, id: string, message: StreamMessage): Promise<void> {
  await redis.publish(channelOf(id), JSON.stringify(message));
}

function channelOf(id: string): string {
  return `windlass:stream:${id}`;
}

function readerKey(id: string): string {
  return `windlass:stream:${id}:alive`;
}

function writerKey(id: string): string {
  return `windlass:stream:${id}:writer`;
}
