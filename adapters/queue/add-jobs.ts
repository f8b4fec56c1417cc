import { JOB_OPTIONS, QUEUE_PREFIX } from './settings.ts';

/** Without its end: the job's id is one of its options. */
const OPTIONS = JSON.stringify(JOB_OPTIONS).slice(0, -1);

/**
 * Lua: `addJobs(queue, jobs, at)` for scripts that add jobs in the transaction of what they are for. Each of `jobs` is
 * `{ name, id, data }`, `data` is JSON, `at` is ms since the epoch. It leaves behind what `Queue.add` leaves, for all jobs of a
 * queue together: BullMQ's own script, which has to know parents, priorities and repetition too, asks the same for each again.
 */
export const ADD_JOBS = `
-- Lua hands over no more than some 8,000 at once.
local function inParts(list, use)
  for first = 1, #list, 1000 do use(unpack(list, first, math.min(first + 999, #list))) end
end
local function addJobs(queue, jobs, at)
  local prefix = '${QUEUE_PREFIX}:' .. queue .. ':'
  local events, meta = prefix .. 'events', prefix .. 'meta'
  redis.call('INCRBY', prefix .. 'id', #jobs)
  local most, isPaused, atOnce = unpack(redis.call('HMGET', meta, 'opts.maxLenEvents', 'paused', 'concurrency'))
  if not most then
    most = 10000
    redis.call('HSET', meta, 'opts.maxLenEvents', most)
  end
  local added = {}
  for _, job in ipairs(jobs) do
    local name, id, data = unpack(job)
    if redis.call('EXISTS', prefix .. id) == 1 then
      redis.call('XADD', events, 'MAXLEN', '~', most, '*', 'event', 'duplicated', 'jobId', id)
    else
      redis.call('HSET', prefix .. id, 'name', name, 'data', data, 'opts', '${OPTIONS},"jobId":"' .. id .. '"}',
        'timestamp', at, 'delay', 0, 'priority', 0)
      redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', name)
      redis.call('XADD', events, 'MAXLEN', '~', most, '*', 'event', 'waiting', 'jobId', id)
      added[#added + 1] = id
    end
  end
  inParts(added, function(...) redis.call('LPUSH', prefix .. 'wait', ...) end)
  local isFull = atOnce and redis.call('LLEN', prefix .. 'active') >= tonumber(atOnce)
  if #added > 0 and not isPaused and not isFull then redis.call('ZADD', prefix .. 'marker', 0, '0') end
end`;
