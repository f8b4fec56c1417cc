import type { Redis } from 'ioredis';
import { UserError } from '#core/errors.ts';
import type { Recorded, Recording, RunFilter, RunNews, RunStore } from '#core/ports.ts';
import type { RunEvent } from '#core/run/events.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { transition } from '#core/run/transition.ts';
import { appendLog } from './run-log.ts';
import {
  channelOf,
  headField,
  HEADS,
  runKey,
  RUNS,
  runsOf,
  UNARCHIVED,
  UNFINISHED,
} from './run-keys.ts';
import { createAllNews } from './run-news.ts';
import { keepDeliveries, readDeliveries } from './deliveries.ts';
import { recordRuns } from './record-runs.ts';
import { subscribe } from './subscribe.ts';

const LOOKED_AT_ONCE = 50;

/**
 * KEYS: run, unfinished, unfinished of the branch, channel, unarchived. ARGV: expected, next, id, finished, news. Answers 1
 * where it was written.
 */
const SWAP = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[4] == '1' then
  redis.call('SREM', KEYS[2], ARGV[3])
  redis.call('SREM', KEYS[3], ARGV[3])
  redis.call('SADD', KEYS[5], ARGV[3])
end
redis.call('PUBLISH', KEYS[4], ARGV[5])
return 1`;

/** Runs in Redis: one JSON text each, changed by compare-and-set, indexed by time, told of on a channel. */
export function createRunStore(redis: Redis): RunStore {
  const news = createAllNews(redis);
  return {
    keep: (deliveries) => keepDeliveries(redis, deliveries),
    kept: (limit) => readDeliveries(redis, limit),
    record: (recordings) => news.recording(() => record(redis, recordings)),
    get: (id) => get(redis, id),
    list: (filter) => list(redis, filter),
    unfinished: (beside) => unfinished(redis, beside),
    apply: (id, event) => apply(redis, id, event),
    handledHeads: (branches) => handledHeads(redis, branches),
    appendLog: (runId, lines) => appendLog(redis, runId, lines),
    follow: (runId, onNews, signal) =>
      runId === undefined ? news.follow(onNews, signal) : follow(redis, runId, onNews, signal),
  };
}

async function record(
  redis: Redis,
  recordings: readonly Recording[],
): Promise<{ fresh: Run[]; answer: Recorded[] }> {
  const answer = await recordRuns(redis, recordings);
  const written = recordings.filter((_each, index) => answer[index] !== 'gone');
  return { fresh: written.flatMap(({ runs }) => runs), answer };
}

async function handledHeads(
  redis: Redis,
  branches: Parameters<RunStore['handledHeads']>[0],
): Promise<(string | undefined)[]> {
  if (branches.length === 0) return [];
  const fields = branches.map(({ pipeline, branch }) => headField(pipeline, branch));
  return (await redis.hmget(HEADS, ...fields)).map((commit) => commit ?? undefined);
}

async function get(redis: Redis, id: string): Promise<Run | undefined> {
  const text = await redis.get(runKey(id));
  return text === null ? undefined : parseRun(text);
}

async function list(
  redis: Redis,
  { pipeline, branch, since = 0, limit }: RunFilter,
): Promise<Run[]> {
  const index = pipeline === undefined ? RUNS : runsOf(pipeline);
  const found: Run[] = [];
  // A branch's runs are among those of others, of which there may be very many.
  const atOnce = branch === undefined ? limit : Math.max(limit, LOOKED_AT_ONCE);
  for (let offset = 0; found.length < limit; offset += atOnce) {
    const ids = await redis.zrevrangebyscore(index, '+inf', since, 'LIMIT', offset, atOnce);
    const runs = await getMany(redis, ids);
    found.push(...runs.filter((run) => branch === undefined || run.branch === branch));
    if (ids.length < atOnce) break;
  }
  return found.slice(0, limit);
}

async function getMany(redis: Redis, ids: readonly string[]): Promise<Run[]> {
  if (ids.length === 0) return [];
  const texts = await redis.mget(ids.map((id) => runKey(id)));
  return texts.flatMap((text) => (text === null ? [] : [parseRun(text)]));
}

async function unfinished(redis: Redis, beside?: readonly Run[]): Promise<Run[]> {
  if (beside === undefined) return getMany(redis, await redis.smembers(UNFINISHED));
  if (beside.length === 0) return [];
  const branches = new Set(beside.map(unfinishedOf));
  return getMany(redis, await redis.sunion([...branches]));
}

async function apply(redis: Redis, id: string, event: RunEvent): Promise<Run> {
  for (;;) {
    const current = await redis.get(runKey(id));
    if (current === null) throw new UserError('not-found', `run ${id} is not known`);
    const run = parseRun(current);
    const next = transition(run, event);
    if (next === run) return run;
    const news: RunNews = { kind: 'run', run: next, event };
    const swapped = await redis.eval(
      SWAP,
      5,
      runKey(id),
      UNFINISHED,
      unfinishedOf(run),
      channelOf(id),
      UNARCHIVED,
      current,
      JSON.stringify(next),
      id,
      isFinished(next) ? '1' : '0',
      JSON.stringify(news),
    );
    if (swapped === 1) return next;
  }
}

function follow(
  redis: Redis,
  runId: string,
  onNews: (news: RunNews) => void,
  signal: AbortSignal,
): Promise<void> {
  return subscribe(redis, {
    pattern: channelOf(runId),
    onMessage: (text) => onNews(JSON.parse(text) as RunNews),
    onReady: async () => {
      const run = await get(redis, runId);
      if (run !== undefined) onNews({ kind: 'run', run });
    },
    signal,
  });
}

function unfinishedOf({ pipeline, branch }: Pick<Run, 'pipeline' | 'branch'>): string {
  return `${UNFINISHED}:${headField(pipeline, branch)}`;
}

function parseRun(text: string): Run {
  return JSON.parse(text) as Run;
}
