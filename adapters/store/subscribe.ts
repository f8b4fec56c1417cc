import type { Redis } from 'ioredis';

interface Subscription {
  /** Channel, or pattern with `*`. */
  pattern: string;
  onMessage: (text: string) => void;
  /** After each subscription, the first and those after an outage: what was published meanwhile is lost. */
  onReady?: () => Promise<void>;
  signal: AbortSignal;
}

/** Hears a channel on a connection of its own until aborted; resolves once it has ended. */
export async function subscribe(redis: Redis, subscription: Subscription): Promise<void> {
  const { pattern, onMessage, onReady, signal } = subscription;
  if (signal.aborted) return;
  // ioredis would subscribe again by itself, but does not tell when: `ready` plus our own call does.
  const connection = redis.duplicate({ autoResubscribe: false, maxRetriesPerRequest: null });
  connection.on('error', () => {
    // It reconnects by itself; `onReady` makes up for what was missed.
  });
  connection.on('pmessage', (_pattern: string, _channel: string, text: string) => onMessage(text));
  connection.on('ready', () => {
    connection
      .psubscribe(pattern)
      .then(() => onReady?.())
      .catch(() => {
        // The connection broke in between: the next `ready` subscribes again.
      });
  });
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  connection.disconnect();
}
