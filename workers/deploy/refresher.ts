import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { UserError } from '#core/errors.ts';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/** Work that makes something current; asked for again while it is done, it is done once more. */
export interface Refresher {
  /** Settles with a refresh that began after the call; resolves where the signal ended it. */
  refresh(): Promise<void>;
}

/** What may pass by itself is tried again until aborted, and logged as `failure`; anything else is thrown. */
export function createRefresher(
  work: () => Promise<void>,
  failure: string,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Refresher {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function untilDone(): Promise<void> {
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs *= 2) {
      try {
        await work();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof UserError && error.transient)) throw error;
        log.warn({ err: error }, failure);
        await sleep(Math.min(delayMs, LONGEST_RETRY_MS), undefined, { signal }).catch(() => {
          // Aborted: the loop ends.
        });
      }
    }
  }

  function begin(): Promise<void> {
    running = untilDone().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    refresh() {
      if (running === undefined) return begin();
      next ??= running
        .catch(() => {
          // Told to whoever awaits that one.
        })
        .then(() => {
          next = undefined;
          return begin();
        });
      return next;
    },
  };
}
