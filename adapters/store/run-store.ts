import type { Redis } from 'ioredis';
import { UserError } from '#core/errors.ts';
import type { Recording, RunFilter, RunNews, RunStore } from '#core/ports.ts';
import type { RunEvent } from '#core/run/events.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { transition } from '#core/run/transition.ts';
import { appendLog } from './run-log.ts';
import {
  channelOf,
  handledHeadField,
  headField,
  HEADS,
  runKey,
  RUNS,
  runsOf,
  UNARCHIVED,
} from './run-keys.ts';
import { subscribe } from './subscribe.ts';

const DELIVERY_KEPT_SECONDS = 30 * 24 * 3_600;
const UNFINISHED = 'windlass:unfinished';
const LOOKED_AT_ONCE = 50;

/** KEYS: run, unfinished, unfinished of the branch, channel. ARGV: expected, next, id, finished, news. Answers 1 where it was written. */
const SWAP = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[4] == '1' then
  redis.call('SREM', KEYS[2], ARGV[3])
  redis.call('SREM', KEYS[3], ARGV[3])
end
redis.call('PUBLISH', KEYS[4], ARGV[5])
return 1`;

/**
 * KEYS: unfinished, runs, heads, unarchived. ARGV: seconds, then per recording: delivery or '', how many runs, and per
 * run: id, json, score, pipeline, branch, head field, commit. Answers 1 for each that is new.
 */
const RECORD = `
local answers = {}
local i = 2
while i <= #ARGV do
  local delivery, last = ARGV[i], i + 1 + 7 * ARGV[i + 1]
  local isNew = delivery == '' or redis.call('SET', 'windlass:delivery:' .. delivery, '1', 'NX', 'EX', ARGV[1])
  answers[#answers + 1] = isNew and 1 or 0
  for r = i + 2, isNew and last or 0, 7 do
    redis.call('SET', 'windlass:run:' .. ARGV[r], ARGV[r + 1])
    redis.call('SADD', KEYS[1], ARGV[r])
    redis.call('SADD', KEYS[1] .. ':' .. ARGV[r + 3] .. ' ' .. ARGV[r + 4], ARGV[r])
    redis.call('SADD', KEYS[4], ARGV[r])
    redis.call('ZADD', KEYS[2], ARGV[r + 2], ARGV[r])
    redis.call('ZADD', KEYS[2] .. ':' .. ARGV[r + 3], ARGV[r + 2], ARGV[r])
    if ARGV[r + 5] ~= '' then redis.call('HSET', KEYS[3], ARGV[r + 5], ARGV[r + 6]) end
    redis.call('PUBLISH', 'windlass:news:' .. ARGV[r], '{"kind":"run","run":' .. ARGV[r + 1] .. '}')
  end
  i = last + 1
end
return answers`;

/** Runs in Redis: one JSON text each, changed by compare-and-set, indexed by time, told of on a channel. */
export function createRunStore(redis: Redis): RunStore {
  const followAll = createFollowAll(redis);
  return {
    record: (recordings) => record(redis, recordings),
    get: (id) => get(redis, id),
    list: (filter) => list(redis, filter),
    unfinished: (beside) => unfinished(redis, beside),
    apply: (id, event) => apply(redis, id, event),
    handledHeads: (branches) => handledHeads(redis, branches),
    appendLog: (runId, lines) => appendLog(redis, runId, lines),
    follow: (runId, onNews, signal) =>
      runId === undefined ? followAll(onNews, signal) : follow(redis, runId, onNews, signal),
  };
}

async function record(redis: Redis, recordings: readonly Recording[]): Promise<boolean[]> {
  const fields = recordings.flatMap(({ runs, delivery = '' }) => [
    delivery,
    runs.length,
    ...runs.flatMap(recordedFields),
  ]);
  const keys = [UNFINISHED, RUNS, HEADS, UNARCHIVED];
  const args = [...keys, DELIVERY_KEPT_SECONDS, ...fields];
  const answers = (await redis.eval(RECORD, keys.length, ...args)) as number[];
  return answers.map((answer) => answer === 1);
}

function recordedFields(run: Run): (string | number)[] {
  return [
    run.id,
    JSON.stringify(run),
    run.createdAt,
    run.pipeline,
    run.branch,
    handledHeadField(run) ?? '',
    run.commit,
  ];
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
  const branches = [...new Set(beside.map(unfinishedOf))];
  const ids = branches.length === 0 ? [] : await redis.sunion(branches);
  const known = new Set(beside.map(({ id }) => id));
  const hasOthers = ids.some((id) => !known.has(id)) || branches.length < beside.length;
  return hasOthers ? getMany(redis, ids) : [];
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
      4,
      runKey(id),
      UNFINISHED,
      unfinishedOf(run),
      channelOf(id),
      current,
      JSON.stringify(next),
      id,
      isFinished(next) ? '1' : '0',
      JSON.stringify(news),
    );
    if (swapped === 1) return next;
  }
}

/** News of all runs come once, and are read once, however many listen. */
function createFollowAll(
  redis: Redis,
): (onNews: (news: RunNews) => void, signal: AbortSignal) => Promise<void> {
  const listeners = new Set<(news: RunNews) => void>();
  let hearing = new AbortController();

  async function hear({ signal }: AbortController): Promise<void> {
    await subscribe(redis, {
      pattern: channelOf('*'),
      onMessage: (text) => {
        const news = JSON.parse(text) as RunNews;
        for (const tell of listeners) tell(news);
      },
      signal,
    });
  }

  return async (onNews, signal) => {
    if (signal.aborted) return;
    // A listener of its own, also for one function that follows twice.
    function tell(news: RunNews): void {
      onNews(news);
    }
    listeners.add(tell);
    if (listeners.size === 1) {
      hearing = new AbortController();
      void hear(hearing);
    }
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    listeners.delete(tell);
    if (listeners.size === 0) hearing.abort();
  };
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
  return `${UNFINISHED}:${pipeline} ${branch}`;
}

function parseRun(text: string): Run {
  return JSON.parse(text) as Run;
}
