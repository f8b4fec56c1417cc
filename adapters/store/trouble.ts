import type { Logger } from 'pino';
import { messageOf } from '#core/errors.ts';

const TOLD_AGAIN_MS = 30_000;
const MOST_KINDS = 50;

/**
 * A listener for errors of connections to Redis and of queues. They connect again by themselves and tell of every try;
 * this logs each kind of trouble in one line and not again for a while.
 */
export function troubleListener(
  log: Pick<Logger, 'warn'>,
  now: () => number,
): (error: Error) => void {
  const toldAt = new Map<string, number>();
  return (error) => {
    const reason = reasonOf(error);
    if (now() - (toldAt.get(reason) ?? -TOLD_AGAIN_MS) < TOLD_AGAIN_MS) return;
    if (toldAt.size >= MOST_KINDS) toldAt.clear();
    toldAt.set(reason, now());
    log.warn({ reason }, 'trouble with Redis; it is tried again');
  };
}

/** Where a name has several addresses the error of them all has no message, only a code. */
function reasonOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : error.name;
  return messageOf(error) || code;
}
