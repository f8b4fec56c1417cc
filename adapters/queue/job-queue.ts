import { Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf, UserError } from '#core/errors.ts';
import type { JobQueue, QueueDepths, RunJob } from '#core/ports.ts';
import {
  JOB_OPTIONS,
  LOCK_MS,
  LONGEST_RETRY_MS,
  QUEUE_PREFIX,
  STALLED_CHECK_MS,
} from './settings.ts';

/** KEYS: a lock. ARGV: how many ms it can last. */
const CLAMP = `
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`;
/** As BullMQ packs time and order into a delayed job's score. */
const SCORE_MS = 4_096;

/**
 * The server's side of the queues. Each Redis connection is shared by all queues; `close` leaves it open. `onTrouble`
 * hears of each try to connect that fails: without a listener BullMQ prints them.
 */
export function createJobQueue(
  redis: Redis,
  onTrouble: (error: Error) => void,
): JobQueue & QueueDepths {
  const queues = new Map<string, Queue>();
  const events = new Map<string, QueueEvents>();

  function queueOf(name: string): Queue {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const queue = new Queue(name, { connection: redis, prefix: QUEUE_PREFIX });
    queue.on('error', onTrouble);
    queues.set(name, queue);
    return queue;
  }

  function eventsOf(name: string): QueueEvents {
    const known = events.get(name);
    if (known !== undefined) return known;
    const connection = redis.duplicate();
    connection.on('error', onTrouble);
    const listener = new QueueEvents(name, { connection, prefix: QUEUE_PREFIX });
    listener.on('error', onTrouble);
    events.set(name, listener);
    return listener;
  }

  return {
    add: async ({ queue, name, id, payload }) => {
      await queueOf(queue).add(name, payload, { ...JOB_OPTIONS, jobId: id });
    },
    remove: async (job) => {
      await queueOf(job.queue).remove(job.id);
    },
    state: (job) => stateOf(queueOf(job.queue), job),
    async free(job) {
      const queue = queueOf(job.queue);
      await redis.eval(CLAMP, 1, queue.toKey(`${job.id}:lock`), LOCK_MS);
      await redis.eval(CLAMP, 1, queue.toKey('stalled-check'), STALLED_CHECK_MS);
      const score = await redis.zscore(queue.toKey('delayed'), job.id);
      const waitMs = Number(score ?? 0) / SCORE_MS - Date.now();
      if (waitMs > LONGEST_RETRY_MS) await (await queue.getJob(job.id))?.promote();
    },
    async depth(name) {
      const queue = queueOf(name);
      const [counts, [oldest], workers] = await Promise.all([
        queue.getJobCounts('waiting', 'active', 'delayed', 'failed'),
        queue.getJobs(['waiting'], 0, 0, true),
        queue.getWorkersCount(),
      ]);
      const { waiting = 0, active = 0, delayed = 0, failed = 0 } = counts;
      const since = oldest === undefined ? {} : { oldest: oldest.timestamp };
      return { waiting, active, delayed, failed, workers, ...since };
    },
    failure: async (job) => (await queueOf(job.queue).getJob(job.id))?.failedReason,
    request: async (queue, name, payload, timeoutMs) => {
      const listener = eventsOf(queue);
      await listener.waitUntilReady();
      const job = await queueOf(queue).add(name, payload, {
        removeOnComplete: { age: 60 },
        removeOnFail: { age: 60 },
      });
      try {
        return await job.waitUntilFinished(listener, timeoutMs);
      } catch (error) {
        await job.remove().catch(() => {
          // A worker has it: it ends by its own deadline.
        });
        throw requestError(queue, error, timeoutMs);
      }
    },
    close: async () => {
      await Promise.all([...queues.values(), ...events.values()].map((each) => each.close()));
    },
  };
}

async function stateOf(queue: Queue, job: RunJob): ReturnType<JobQueue['state']> {
  const state = await queue.getJobState(job.id);
  if (state === 'unknown') return 'missing';
  if (state === 'active' || state === 'failed' || state === 'completed') return state;
  return 'waiting';
}

function requestError(queue: string, error: unknown, timeoutMs: number): UserError {
  const message = messageOf(error);
  if (!message.includes('timed out'))
    return new UserError('unavailable', message, { cause: error });
  return new UserError(
    'unavailable',
    `nothing answered on ${queue} within ${timeoutMs / 1_000} s`,
    {
      hint: 'is a deploy worker running, and can it reach the cluster? `windlass status` tells',
      cause: error,
    },
  );
}
