import { ATTEMPTS, MAX_STALLED } from '#adapters/queue/settings.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { JobQueue, RunJob } from '#core/ports.ts';
import type { Process } from './interleaving.ts';

export interface TakenJob extends RunJob {
  attemptsMade: number;
}

interface Entry extends TakenJob {
  state: 'waiting' | 'active' | 'failed';
  worker?: Process;
  /** Who took it last, of all that ever did: only that one's end counts. */
  takings: number;
  stalls: number;
  failure?: string;
}

/** The queues as BullMQ keeps them, for workers that may die. */
export interface MemoryQueue extends JobQueue {
  /** Works on a queue: `work` rejects to fail the job, with a transient error to have it tried again. */
  serve(queue: string, worker: Process, work: (job: TakenJob) => Promise<void>): Promise<never>;
  /** What workers that died had under way is for others. */
  findStalled(): void;
  /** As an outage of Redis does: what workers have under way is for whoever takes it next, as well. */
  loseLocks(): void;
}

export function createMemoryQueue(): MemoryQueue {
  const entries = new Map<string, Entry>();
  let arrival = Promise.withResolvers<void>();

  function tell(): void {
    arrival.resolve();
    arrival = Promise.withResolvers<void>();
  }

  function take(queue: string, worker: Process): Entry | undefined {
    const entry = [...entries.values()].find(
      (each) => each.queue === queue && each.state === 'waiting',
    );
    if (entry !== undefined)
      Object.assign(entry, { state: 'active', worker, takings: entry.takings + 1 });
    return entry;
  }

  async function workOn(
    entry: Entry,
    worker: Process,
    work: (job: TakenJob) => Promise<void>,
  ): Promise<void> {
    const { takings } = entry;
    function isOurs(): boolean {
      return entry.state === 'active' && entry.takings === takings;
    }
    try {
      await work(entry);
      await worker.turn();
      if (isOurs()) entries.delete(entry.id);
    } catch (error) {
      await worker.turn();
      if (!isOurs()) return;
      entry.attemptsMade += 1;
      const again = error instanceof UserError && error.transient && entry.attemptsMade < ATTEMPTS;
      Object.assign(entry, { state: again ? 'waiting' : 'failed', failure: messageOf(error) });
      tell();
    }
  }

  return {
    async add(job) {
      if (!entries.has(job.id))
        entries.set(job.id, { ...job, state: 'waiting', takings: 0, stalls: 0, attemptsMade: 0 });
      tell();
    },
    async remove({ id }) {
      if (entries.get(id)?.state !== 'active') entries.delete(id);
    },
    state: async ({ id }) => entries.get(id)?.state ?? 'missing',
    free: async () => undefined,
    failure: async ({ id }) => entries.get(id)?.failure,
    request: () => Promise.reject(new UserError('unavailable', 'nobody asks here')),
    close: async () => undefined,
    async serve(queue, worker, work) {
      for (;;) {
        await worker.turn();
        const entry = take(queue, worker);
        if (entry === undefined) await arrival.promise;
        else void workOn(entry, worker, work);
      }
    },
    findStalled() {
      for (const entry of entries.values()) {
        if (entry.state !== 'active' || entry.worker?.isAlive === true) continue;
        entry.stalls += 1;
        const isLost = entry.stalls > MAX_STALLED;
        Object.assign(entry, {
          state: isLost ? 'failed' : 'waiting',
          failure: 'job stalled more than allowable limit',
        });
      }
      tell();
    },
    loseLocks() {
      for (const entry of entries.values()) {
        if (entry.state === 'active') entry.state = 'waiting';
      }
      tell();
    },
  };
}
