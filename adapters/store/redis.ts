import { Redis } from 'ioredis';

const LONGEST_RETRY_MS = 2_000;

/**
 * A connection that waits a Redis outage out: commands queue up and go on when it is back. `url` is `redis://…`,
 * `rediss://…` or the path of a unix socket. BullMQ's workers need `maxRetriesPerRequest: null`. `onTrouble` hears of
 * each try that fails.
 */
export function connectRedis(url: string, onTrouble?: (error: Error) => void): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    retryStrategy: (attempt) => Math.min(LONGEST_RETRY_MS, 50 * attempt),
    // After a failover the address leads to the new master, and what is connected still is a replica now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  redis.on('error', (error) => {
    // Without a listener ioredis prints each attempt.
    onTrouble?.(error);
  });
  return redis;
}

/** Redis' refusals of a command: for want of memory, as a replica, while it loads. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Whether Redis answers within `timeoutMs`. */
export async function isReachable(redis: Redis, timeoutMs = 2_000): Promise<boolean> {
  const late = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), timeoutMs).unref();
  });
  return Promise.race([
    redis.ping().then(
      () => true,
      () => false,
    ),
    late,
  ]);
}
