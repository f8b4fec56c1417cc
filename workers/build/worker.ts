import { Worker } from 'bullmq';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { LOCK_MS, MAX_STALLED, QUEUE_PREFIX, STALLED_CHECK_MS } from '#adapters/queue/settings.ts';
import { troubleListener } from '#adapters/store/trouble.ts';
import { BUILD_QUEUE } from '#core/queue/jobs.ts';
import type { BuildContext } from './context.ts';
import { createFileHistory } from './file-history.ts';
import { processJob } from './process-job.ts';
import { BuildStopped } from './stop-reason.ts';

const DEFAULT_CONCURRENCY = 2;

export interface BuildWorkerDeps extends Omit<BuildContext, 'history'> {
  /** A connection made for it (`maxRetriesPerRequest: null`); stays open when the worker ends. */
  redis: Redis;
  /** Builds at a time. */
  concurrency?: number;
  /** Called after each build, whatever its end. */
  onBuilt?: () => void;
}

export interface BuildWorker {
  /** Takes no more jobs and hands those under way back to the queue. */
  close(): Promise<void>;
}

/** Works on the build queue until closed. An outage of Redis is waited out. */
export function startBuildWorker(deps: BuildWorkerDeps): BuildWorker {
  const underWay = new Map<string, AbortController>();
  const context: BuildContext = { ...deps, history: createFileHistory() };

  async function work(job: Job, token?: string): Promise<void> {
    const released = new AbortController();
    const id = job.id ?? '';
    underWay.set(id, released);
    try {
      await processJob(job, context, released.signal, token);
    } finally {
      // Having lost its lock it may be under way here once more.
      if (underWay.get(id) === released) underWay.delete(id);
      deps.onBuilt?.();
    }
  }

  function release(jobIds: Iterable<string>): void {
    for (const id of jobIds) underWay.get(id)?.abort(new BuildStopped('released'));
  }

  const worker = new Worker(BUILD_QUEUE, work, {
    connection: deps.redis,
    prefix: QUEUE_PREFIX,
    concurrency: deps.concurrency ?? DEFAULT_CONCURRENCY,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_STALLED,
  });
  worker.on('error', troubleListener(deps.log, deps.now));
  // Another worker has the job by now: two must not build it at once.
  worker.on('lockRenewalFailed', (jobIds) => release(jobIds));
  worker.on('failed', (job, error) =>
    deps.log.info({ job: job?.id, err: error }, 'a build failed'),
  );

  return {
    close: async () => {
      release([...underWay.keys()]);
      await worker.close();
    },
  };
}
