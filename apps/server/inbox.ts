import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Delivery, RunStore } from '#core/ports.ts';
import { createBatches } from './batches.ts';
import type { Orchestrator } from './orchestrator.ts';

/** Runs are made once no delivery came for so long: keeping a burst comes first. */
const QUIET_MS = 10;
/** And at the latest so long after the first. */
const LONGEST_MS = 500;
/** What comes in meanwhile waits no longer than these take. */
const TOGETHER = 32;
const AGAIN_MS = 2_000;
const SETTLED_MS = 2_000;
/** A branch on which no run can be made for so long is polled again. */
const GIVE_UP_MS = 24 * 3_600_000;

/** Deliveries of webhooks: each is kept at once, and its runs are made right after, on each branch in the order they came. */
export interface Inbox {
  /** Resolves when it is kept, and so not lost any more; false where it was seen before. */
  accept(delivery: Omit<Delivery, 'at'>): Promise<boolean>;
  /** Resolves when what was kept has its runs, two seconds later at the latest: what is asked for by hand then comes after. */
  settled(): Promise<void>;
  /** Makes the runs of what is kept, also of what was kept before the start, until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export interface InboxDependencies {
  runs: Pick<RunStore, 'keep' | 'kept' | 'record'>;
  orchestrator: Pick<Orchestrator, 'receiveDeliveries'>;
  now: () => number;
  log: Pick<Logger, 'error'>;
}

export function createInbox({ runs, orchestrator, now, log }: InboxDependencies): Inbox {
  const keep = createBatches(async (deliveries: readonly Delivery[]) => {
    const areNew = await runs.keep(deliveries);
    return areNew.map((value) => ({ status: 'fulfilled' as const, value }));
  });
  let arrival = new AbortController();
  let lastAt = 0;
  let comingIn = 0;

  async function untilQuiet(latest: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (performance.now() < latest) {
      if (comingIn === 0 && performance.now() >= lastAt + QUIET_MS) return;
      await sleep(QUIET_MS, undefined, { signal });
    }
  }

  /** @throws the first error, once all are done that need not wait for what failed */
  async function makeRuns(signal: AbortSignal): Promise<void> {
    const latest = performance.now() + LONGEST_MS;
    const failed = new Map<string, unknown>();
    let passedOver = 0;
    for (;;) {
      await untilQuiet(latest, signal);
      const limit = passedOver + TOGETHER;
      const all = await runs.kept(limit);
      const some = all.filter((each) => !branchesOf(each).some((branch) => failed.has(branch)));
      passedOver = all.length - some.length;
      if (some.length > 0) await receive(some, failed, signal);
      else if (all.length < limit) break;
    }
    for (const error of failed.values()) throw error;
  }

  /** Where they cannot be received together, each is alone, and those of a branch on which one failed wait with it. */
  async function receive(
    some: readonly Delivery[],
    failed: Map<string, unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    const [together] = await Promise.allSettled([orchestrator.receiveDeliveries(some)]);
    if (together.status === 'fulfilled') return;
    for (const delivery of some) {
      const branches = branchesOf(delivery);
      if (branches.some((branch) => failed.has(branch))) continue;
      signal.throwIfAborted();
      const [alone] = await Promise.allSettled([orchestrator.receiveDeliveries([delivery])]);
      if (alone.status === 'fulfilled') continue;
      if (now() - delivery.at > GIVE_UP_MS) await letGo(delivery, alone.reason);
      else for (const branch of branches) failed.set(branch, alone.reason);
    }
  }

  async function letGo(delivery: Delivery, reason: unknown): Promise<void> {
    await runs.record([{ runs: [], delivery }]);
    log.error({ delivery, err: reason }, 'a webhook had no run for a day, and is let go of');
  }

  return {
    async accept(delivery) {
      comingIn += 1;
      try {
        return await keep({ ...delivery, at: now() });
      } finally {
        comingIn -= 1;
        lastAt = performance.now();
        // Without a reason an error is made of each, with its stack.
        if (!arrival.signal.aborted) arrival.abort('a webhook came');
      }
    },
    async settled() {
      const latest = performance.now() + SETTLED_MS;
      while (performance.now() < latest && (await runs.kept(1)).length > 0) await sleep(QUIET_MS);
    },
    async run(signal) {
      while (!signal.aborted) {
        arrival = new AbortController();
        let until = AbortSignal.any([signal, arrival.signal]);
        try {
          await makeRuns(signal);
        } catch (error) {
          if (!signal.aborted) log.error({ err: error }, 'webhooks wait for their runs');
          until = signal;
        }
        await sleep(AGAIN_MS, undefined, { signal: until }).catch(() => undefined);
      }
    },
  };
}

function branchesOf({ pipelines, trigger }: Delivery): string[] {
  return pipelines.map((pipeline) => `${pipeline} ${trigger.ref}`);
}
