import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { ADD_JOBS } from '#adapters/queue/add-jobs.ts';
import type { Recorded, Recording } from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { handlesHead } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { HEADS, RUNS, UNFINISHED } from './run-keys.ts';

const DELIVERY_KEPT_SECONDS = 30 * 24 * 3_600;
/** As the script counts them. */
const ANSWERS: readonly Recorded[] = ['alone', 'beside', 'seen', 'handled'];

/**
 * ARGV: seconds that deliveries are kept, ms since the epoch, then per recording: delivery or '', '1' where only what is
 * not handled is wanted, how many runs, and per run: id, json, score, pipeline, branch, commit, '1' where that is its
 * branch's head, then queue, name, id and data of its job, or ''. Answers a number for each recording. What comes again, since
 * the connection broke before its answer was read, is recorded already: its runs may have gone on, and are left alone.
 *
 * What goes to the same key for all runs is written at the end, by one command each.
 */
const RECORD = `${ADD_JOBS}
local FIELDS = 11
local recordings, keys, branches = {}, {}, {}
local i = 3
while i <= #ARGV do
  local from = i + 3
  local last = from + FIELDS * ARGV[i + 2] - 1
  for r = from, last, FIELDS do
    keys[#keys + 1] = 'windlass:run:' .. ARGV[r]
    branches[#branches + 1] = ARGV[r + 3] .. ' ' .. ARGV[r + 4]
  end
  recordings[#recordings + 1] = { i, from, last }
  i = last + 1
end
local known = 0
inParts(keys, function(...) known = known + redis.call('EXISTS', ...) end)
local heads = {}
inParts(branches, function(...)
  local part = { ... }
  for n, commit in ipairs(redis.call('HMGET', '${HEADS}', ...)) do heads[part[n]] = commit end
end)
local function isHandled(from, last)
  for r = from, last, FIELDS do
    if heads[ARGV[r + 3] .. ' ' .. ARGV[r + 4]] == ARGV[r + 5] then return true end
  end
end
local function isOurs(from, last)
  return known > 0 and from <= last and redis.call('EXISTS', 'windlass:run:' .. ARGV[from]) == 1
end
local ids, scored, changed, queues, jobs = {}, {}, {}, {}, {}
local function record(r)
  local id, branch = ARGV[r], ARGV[r + 3] .. ' ' .. ARGV[r + 4]
  local ofBranch = '${UNFINISHED}:' .. branch
  redis.call('SET', 'windlass:run:' .. id, ARGV[r + 1])
  redis.call('ZADD', '${RUNS}:' .. ARGV[r + 3], ARGV[r + 2], id)
  ids[#ids + 1] = id
  scored[#scored + 1] = ARGV[r + 2]
  scored[#scored + 1] = id
  if ARGV[r + 6] == '1' then
    heads[branch] = ARGV[r + 5]
    changed[#changed + 1] = branch
    changed[#changed + 1] = ARGV[r + 5]
  end
  local queue = ARGV[r + 7]
  if queue ~= '' then
    if not jobs[queue] then
      jobs[queue] = {}
      queues[#queues + 1] = queue
    end
    table.insert(jobs[queue], { ARGV[r + 8], ARGV[r + 9], ARGV[r + 10] })
  end
  redis.call('SADD', ofBranch, id)
  return redis.call('SCARD', ofBranch) > 1
end
local answers = {}
for n, recording in ipairs(recordings) do
  local at, from, last = unpack(recording)
  local delivery, answer = ARGV[at], 0
  if isOurs(from, last) then
    answer = 1
  elseif ARGV[at + 1] == '1' and isHandled(from, last) then
    answer = 3
  elseif delivery ~= '' and not redis.call('SET', 'windlass:delivery:' .. delivery, '1', 'NX', 'EX', ARGV[1]) then
    answer = 2
  else
    for r = from, last, FIELDS do
      if record(r) then answer = 1 end
    end
  end
  answers[n] = answer
end
inParts(ids, function(...) redis.call('SADD', '${UNFINISHED}', ...) end)
inParts(scored, function(...) redis.call('ZADD', '${RUNS}', ...) end)
inParts(changed, function(...) redis.call('HSET', '${HEADS}', ...) end)
for _, queue in ipairs(queues) do addJobs(queue, jobs[queue], ARGV[2]) end
return answers`;
const DIGEST = createHash('sha1').update(RECORD).digest('hex');

/** Writes runs with their jobs, in one transaction. */
export async function recordRuns(
  redis: Redis,
  recordings: readonly Recording[],
): Promise<Recorded[]> {
  const fields = recordings.flatMap(({ runs, delivery = '', unlessHandled = false }) => [
    delivery,
    unlessHandled ? '1' : '',
    runs.length,
    ...runs.flatMap(runFields),
  ]);
  const answers = await evaluate(redis, [DELIVERY_KEPT_SECONDS, Date.now(), ...fields]);
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
