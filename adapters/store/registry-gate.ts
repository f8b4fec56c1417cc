import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RegistryGate } from '#core/ports.ts';

const COLLECTING = 'windlass:registry:collecting';
const PUSHING = 'windlass:registry:pushing';
/** Of who was killed; the living renew well before. */
const HELD_MS = 30_000;
const RENEW_MS = 8_000;
const LOOK_MS = 200;

/** Of members of a set by when they lapse, in Redis' own time. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;
/** KEYS: collecting, pushing. ARGV: member, ms. */
const ENTER = `${NOW}
if redis.call('EXISTS', KEYS[1]) == 1 then
  -- Longer than it can be: Redis' clock was set back.
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
return 1`;
/** KEYS: pushing. ARGV: member, ms. */
const STAY = `${NOW}
return redis.call('ZADD', KEYS[1], 'XX', 'CH', now + ARGV[2], ARGV[1])`;
/** KEYS: pushing. */
const COUNT = `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])`;
/** KEYS: collecting. ARGV: holder, ms. */
const HOLD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;
/** KEYS: collecting. ARGV: holder. */
const OPEN = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** One gate for all workers of an installation. Whoever is killed within it is out half a minute later. */
export function createRegistryGate(redis: Redis): RegistryGate {
  return {
    async push(work, onWait, signal) {
      const member = randomUUID();
      await enter(redis, member, onWait, signal);
      const stop = renewing(() => redis.eval(STAY, 1, PUSHING, member, HELD_MS));
      try {
        return await work();
      } finally {
        stop();
        await redis.zrem(PUSHING, member);
      }
    },
    async collect(work, patienceMs, signal) {
      const holder = randomUUID();
      if ((await redis.set(COLLECTING, holder, 'PX', HELD_MS, 'NX')) === null) return false;
      const lost = new AbortController();
      const stop = renewing(async () => {
        const held = await redis.eval(HOLD, 1, COLLECTING, holder, HELD_MS);
        if (held !== 1) lost.abort(new Error('the collection of the registry took too long'));
      });
      try {
        if (!(await isIdleWithin(redis, patienceMs, signal))) return false;
        await work(AbortSignal.any([signal, lost.signal]));
        return true;
      } finally {
        stop();
        await redis.eval(OPEN, 1, COLLECTING, holder);
      }
    },
  };
}

async function enter(
  redis: Redis,
  member: string,
  onWait: () => void,
  signal: AbortSignal,
): Promise<void> {
  let isTold = false;
  while ((await redis.eval(ENTER, 2, COLLECTING, PUSHING, member, HELD_MS)) !== 1) {
    if (!isTold) onWait();
    isTold = true;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

async function isIdleWithin(
  redis: Redis,
  patienceMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while ((await redis.eval(COUNT, 1, PUSHING)) !== 0) {
    if (Date.now() > deadline) return false;
    await sleep(LOOK_MS, undefined, { signal });
  }
  return true;
}

function renewing(renew: () => Promise<unknown>): () => void {
  const timer = setInterval(() => {
    renew().catch(() => {
      // The next time is soon enough; without any it lapses.
    });
  }, RENEW_MS);
  return () => clearInterval(timer);
}
