import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '#adapters/store/redis.ts';
import type { JobQueue, RunJob } from '#core/ports.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { createJobQueue } from './job-queue.ts';
import { LOCK_MS, QUEUE_PREFIX, STALLED_CHECK_MS } from './settings.ts';

const HOUR_MS = 3_600_000;
const JOB: RunJob = { queue: 'build', name: 'build', id: 'r1.build', payload: { runId: 'r1' } };

let folder = '';
let server: Running & { url: string };
let redis: Redis;
let queue: JobQueue;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-queue-'));
  server = await startRedis(folder);
  redis = connectRedis(server.url);
  queue = createJobQueue(redis, () => undefined);
});
afterAll(async () => {
  await queue.close();
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true });
});

/** As Redis sees a lock that was made before its clock was set back. */
async function lengthen(key: string): Promise<void> {
  await redis.pexpire(`${QUEUE_PREFIX}:build:${key}`, HOUR_MS);
}

function lasts(key: string): Promise<number> {
  return redis.pttl(`${QUEUE_PREFIX}:build:${key}`);
}

it('lets go of what a clock set back holds for too long', async () => {
  await queue.add(JOB);
  const connection = redis.duplicate();
  const worker = new Worker('build', undefined, { connection, prefix: QUEUE_PREFIX });
  await worker.getNextJob('token');
  await redis.set(`${QUEUE_PREFIX}:build:stalled-check`, '1');
  await lengthen(`${JOB.id}:lock`);
  await lengthen('stalled-check');
  await queue.free(JOB);
  expect(await lasts(`${JOB.id}:lock`)).toBeLessThanOrEqual(LOCK_MS);
  expect(await lasts('stalled-check')).toBeLessThanOrEqual(STALLED_CHECK_MS);
  await worker.close(true);
  connection.disconnect();
});

it('tries again at once what would wait for the time that was', async () => {
  const bull = new Queue('build', { connection: redis, prefix: QUEUE_PREFIX });
  const later = { ...JOB, id: 'r2.build' };
  await bull.add('build', later.payload, { jobId: later.id, delay: HOUR_MS });
  expect(await bull.getJobState(later.id)).toBe('delayed');
  await queue.free(later);
  expect(await bull.getJobState(later.id)).toBe('waiting');
  await bull.close();
});
