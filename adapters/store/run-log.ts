import type { Redis } from 'ioredis';
import type { LogBatch, LogLine, RunNews } from '#core/ports.ts';
import { channelOf, logKeys, UNARCHIVED } from './run-keys.ts';

/** The server puts batches into files as they come: this many are held for a server that is away. */
const BATCHES_HELD = 2_000;
const HELD_SECONDS = 7 * 24 * 3_600;

/** KEYS: stream, last, unarchived, channel. ARGV: lines, batches held, seconds, run, news. */
const APPEND = `
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], n .. '-0', 'lines', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SADD', KEYS[3], ARGV[4])
redis.call('PUBLISH', KEYS[4], ARGV[5])
return n`;

/** KEYS: stream, last, unarchived. ARGV: run, number of the batch that must be the last. */
const ARCHIVED = `
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('SREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])`;

/** A numbered batch in the run's stream, told to whoever listens. */
export async function appendLog(
  redis: Redis,
  runId: string,
  lines: readonly LogLine[],
): Promise<void> {
  if (lines.length === 0) return;
  const news: RunNews = { kind: 'log', runId, lines: [...lines] };
  await redis.eval(
    APPEND,
    4,
    ...logKeys(runId),
    UNARCHIVED,
    channelOf(runId),
    JSON.stringify(lines),
    BATCHES_HELD,
    HELD_SECONDS,
    runId,
    JSON.stringify(news),
  );
}

export async function logAfter(
  redis: Redis,
  runId: string,
  n: number,
  limit: number,
): Promise<LogBatch[]> {
  const [stream] = logKeys(runId);
  const entries = await redis.xrange(stream, `${n + 1}-0`, '+', 'COUNT', limit);
  return entries.map(([id, fields]) => ({
    n: Number(id.split('-')[0]),
    lines: JSON.parse(fields[1] ?? '[]') as LogLine[],
  }));
}

export async function markArchived(redis: Redis, runId: string, n: number): Promise<void> {
  await redis.eval(ARCHIVED, 3, ...logKeys(runId), UNARCHIVED, runId, n);
}
