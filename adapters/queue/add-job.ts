import { addStandardJob } from 'bullmq/dist/esm/scripts/addStandardJob-9.js';
import { JOB_OPTIONS, QUEUE_PREFIX } from './settings.ts';

/**
 * Lua: `addJob(queue, name, id, data, at)` for scripts that add a job in the transaction of what it is for. It is BullMQ's
 * own script, called as `Queue.add` calls it; `data` is JSON, `at` is ms since the epoch.
 */
export const ADD_JOB = `
local function add(KEYS, ARGV)
${addStandardJob.content}
end
local options = cjson.decode('${JSON.stringify(JOB_OPTIONS)}')
local function addJob(queue, name, id, data, at)
  local prefix, keys = '${QUEUE_PREFIX}:' .. queue .. ':', {}
  for _, key in ipairs({ 'wait', 'paused', 'meta', 'id', 'completed', 'delayed', 'active', 'events', 'marker' }) do
    keys[#keys + 1] = prefix .. key
  end
  options.jobId = id
  add(keys, { cmsgpack.pack({ prefix, id, name, tonumber(at) }), data, cmsgpack.pack(options) })
end`;
