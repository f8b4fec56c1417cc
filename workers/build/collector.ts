import { messageOf } from '#core/errors.ts';
import { collectLocally, collectRegistry } from './collect.ts';
import type { CollectContext } from './collect.ts';

const HOUR_MS = 3_600_000;
/** After pushes have kept a collection of the registry from its work. */
const BUSY_AGAIN_MS = 300_000;
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

  async function collectRegistryOrLater(
    ...args: Parameters<typeof collectRegistry>
  ): Promise<void> {
    if (await collectRegistry(...args)) return;
    clearTimeout(later);
    later = setTimeout(() => queue(collectRegistryOrLater), BUSY_AGAIN_MS);
  }

  let later: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    queue(collectLocally);
    queue(collectRegistryOrLater);
  }, HOUR_MS);
  return {
    afterBuild() {
      if (isWaiting) return;
      isWaiting = true;
      queue(collectLocally);
    },
    async close() {
      clearInterval(timer);
      clearTimeout(later);
      ended.abort();
      await passes;
    },
  };
}
