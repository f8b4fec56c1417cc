import type { Redis } from 'ioredis';
import type { RunKeeping } from '#core/ports.ts';
import type { Run } from '#core/run/run.ts';
import { handledHeadField, HEADS, logKeys, runKey, RUNS, runsOf, UNARCHIVED } from './run-keys.ts';
import { logAfter, markArchived } from './run-log.ts';

/** KEYS: run, runs, runs of the pipeline, heads. ARGV: id, json, score, head field or '', commit. */
const RESTORE = `
if not redis.call('SET', KEYS[1], ARGV[2], 'NX') then return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[4], ARGV[4], ARGV[5]) end
return 1`;

/** The server's side of the runs in Redis. */
export function createRunKeeping(redis: Redis): RunKeeping {
  return {
    logAfter: (runId, n, limit) => logAfter(redis, runId, n, limit),
    unarchived: () => redis.smembers(UNARCHIVED),
    archived: (runId, n) => markArchived(redis, runId, n),
    unknown: (ids) => unknown(redis, ids),
    restore: async (runs) => {
      for (const run of runs) await restore(redis, run);
    },
    index: (pipeline) => index(redis, pipeline),
    forget: (pipeline, ids) => forget(redis, pipeline, ids),
  };
}

async function unknown(redis: Redis, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const scores = await redis.zmscore(RUNS, ...ids);
  return ids.filter((_id, position) => scores[position] === null);
}

async function restore(redis: Redis, run: Run): Promise<void> {
  await redis.eval(
    RESTORE,
    4,
    runKey(run.id),
    RUNS,
    runsOf(run.pipeline),
    HEADS,
    run.id,
    JSON.stringify(run),
    run.createdAt,
    handledHeadField(run) ?? '',
    run.commit,
  );
}

async function index(redis: Redis, pipeline: string): Promise<{ id: string; at: number }[]> {
  const flat = await redis.zrevrange(runsOf(pipeline), 0, -1, 'WITHSCORES');
  return flat.flatMap((id, position) =>
    position % 2 === 0 ? [{ id, at: Number(flat[position + 1]) }] : [],
  );
}

async function forget(redis: Redis, pipeline: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await redis
    .multi()
    .zrem(runsOf(pipeline), ...ids)
    .zrem(RUNS, ...ids)
    .srem(UNARCHIVED, ...ids)
    .del(...ids.flatMap((id) => [runKey(id), ...logKeys(id)]))
    .exec();
}
