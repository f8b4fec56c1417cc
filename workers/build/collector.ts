import { messageOf } from '#core/errors.ts';
import { collectLocally, collectRegistry } from './collect.ts';
import type { CollectContext } from './collect.ts';

const HOUR_MS = 3_600_000;
const TIMEOUT_MS = 1_800_000;

/** Collects after builds and every hour, one pass at a time. A pass that fails is told and the next one tries again. */
export interface Collector {
  afterBuild(): void;
  close(): Promise<void>;
}

export function startCollector(context: CollectContext): Collector {
  const ended = new AbortController();
  let passes = Promise.resolve();
  let isWaiting = false;

  function queue(collect: (context: CollectContext, signal: AbortSignal) => Promise<void>): void {
    passes = passes.then(() => pass(collect));
  }

  async function pass(
    collect: (context: CollectContext, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    isWaiting = false;
    try {
      await collect(context, AbortSignal.any([ended.signal, AbortSignal.timeout(TIMEOUT_MS)]));
    } catch (error) {
      if (ended.signal.aborted) return;
      context.log.warn({ reason: messageOf(error) }, 'the collection was not finished');
    }
  }

  const timer = setInterval(() => {
    queue(collectLocally);
    queue(collectRegistry);
  }, HOUR_MS);
  return {
    afterBuild() {
      if (isWaiting) return;
      isWaiting = true;
      queue(collectLocally);
    },
    async close() {
      clearInterval(timer);
      ended.abort();
      await passes;
    },
  };
}
