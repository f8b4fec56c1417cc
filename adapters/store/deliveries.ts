import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Delivery } from '#core/ports.ts';

/** Deliveries whose runs are not recorded yet, oldest first, as JSON. */
export const DELIVERIES = 'windlass:deliveries';
const NAME_KEPT_SECONDS = 30 * 24 * 3_600;

/**
 * ARGV: seconds that names are kept, what this call is known by, then per delivery its name and its text. Answers 1 for
 * each that is kept. What comes again, since the connection broke before its answer was read, is kept already.
 */
const KEEP = `
local answers = {}
for i = 3, #ARGV, 2 do
  local key = 'windlass:delivery:' .. ARGV[i]
  local own = ARGV[2] .. ' ' .. i
  if redis.call('SET', key, own, 'NX', 'EX', ARGV[1]) then
    redis.call('RPUSH', '${DELIVERIES}', ARGV[i + 1])
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = redis.call('GET', key) == own and 1 or 0
  end
end
return answers`;

/** Answers for each whether it is new. */
export async function keepDeliveries(
  redis: Redis,
  deliveries: readonly Delivery[],
  call: string = randomUUID(),
): Promise<boolean[]> {
  const fields = deliveries.flatMap((each) => [each.name, textOf(each)]);
  const answers = await redis.eval(KEEP, 0, NAME_KEPT_SECONDS, call, ...fields);
  return (answers as number[]).map((answer) => answer === 1);
}

export async function readDeliveries(redis: Redis, limit: number): Promise<Delivery[]> {
  const texts = await redis.lrange(DELIVERIES, 0, limit - 1);
  return texts.map((text) => JSON.parse(text) as Delivery);
}

/** INVARIANT: the same for what was read as for what was kept, for by its text it is let go of. */
export function textOf({ name, at, trigger, pipelines }: Delivery): string {
  return JSON.stringify({ name, at, trigger, pipelines });
}
