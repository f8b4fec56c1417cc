import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { ADD_JOB } from '#adapters/queue/add-job.ts';
import type { Recorded, Recording } from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { handlesHead } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { DELIVERIES, textOf } from './deliveries.ts';
import { HEADS, RUNS, UNFINISHED } from './run-keys.ts';

/** As the script counts them. */
const ANSWERS: readonly Recorded[] = ['alone', 'beside', 'gone'];

/**
 * ARGV: ms since the epoch, then per recording: the text of its delivery or '', how many runs, and per run: id, json, score,
 * pipeline, branch, commit, '1' where that is its branch's head, then queue, name, id and data of its job, or ''. Answers a
 * number for each recording. What comes again, since the connection broke before its answer was read, is recorded already:
 * its runs may have gone on, and are left alone.
 */
const RECORD = `${ADD_JOB}
local FIELDS = 11
local function record(r)
  local id, branch = ARGV[r], ARGV[r + 3] .. ' ' .. ARGV[r + 4]
  redis.call('SET', 'windlass:run:' .. id, ARGV[r + 1])
  redis.call('SADD', '${UNFINISHED}', id)
  redis.call('SADD', '${UNFINISHED}:' .. branch, id)
  redis.call('ZADD', '${RUNS}', ARGV[r + 2], id)
  redis.call('ZADD', '${RUNS}:' .. ARGV[r + 3], ARGV[r + 2], id)
  if ARGV[r + 6] == '1' then redis.call('HSET', '${HEADS}', branch, ARGV[r + 5]) end
  if ARGV[r + 7] ~= '' then addJob(ARGV[r + 7], ARGV[r + 8], ARGV[r + 9], ARGV[r + 10], ARGV[1]) end
  return redis.call('SCARD', '${UNFINISHED}:' .. branch) > 1
end
local function isOurs(from, last)
  return from <= last and redis.call('EXISTS', 'windlass:run:' .. ARGV[from]) == 1
end
local answers = {}
local i = 2
while i <= #ARGV do
  local from = i + 2
  local last = from + FIELDS * ARGV[i + 1] - 1
  local answer = 0
  if isOurs(from, last) then
    answer = 1
  elseif ARGV[i] ~= '' and redis.call('LREM', '${DELIVERIES}', 1, ARGV[i]) == 0 then
    answer = 2
  else
    for r = from, last, FIELDS do
      if record(r) then answer = 1 end
    end
  end
  answers[#answers + 1] = answer
  i = last + 1
end
return answers`;
const DIGEST = createHash('sha1').update(RECORD).digest('hex');

/** Writes runs with their jobs, in one transaction. */
export async function recordRuns(
  redis: Redis,
  recordings: readonly Recording[],
): Promise<Recorded[]> {
  const fields = recordings.flatMap(({ runs, delivery }) => [
    delivery === undefined ? '' : textOf(delivery),
    runs.length,
    ...runs.flatMap(runFields),
  ]);
  const answers = await evaluate(redis, [Date.now(), ...fields]);
  return answers.flatMap((answer) => ANSWERS[answer] ?? []);
}

function runFields(run: Run): (string | number)[] {
  const [job] = jobsOf(run);
  return [
    run.id,
    JSON.stringify(run),
    run.createdAt,
    run.pipeline,
    run.branch,
    run.commit,
    handlesHead(run) ? '1' : '',
    ...(job === undefined
      ? ['', '', '', '']
      : [job.queue, job.name, job.id, JSON.stringify(job.payload)]),
  ];
}

/** By the script's digest: it is long, and Redis mostly has it. */
async function evaluate(redis: Redis, args: (string | number)[]): Promise<number[]> {
  try {
    return (await redis.evalsha(DIGEST, 0, ...args)) as number[];
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return (await redis.eval(RECORD, 0, ...args)) as number[];
  }
}
