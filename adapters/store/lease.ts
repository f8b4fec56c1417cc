import type { Redis } from 'ioredis';
import type { Lease } from '#core/ports.ts';

/** One that lasts longer than a lease can is of a time before Redis' clock was set back. */
const ACQUIRE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;
const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** Leases as keys that expire. A holder that comes back under its own name takes its lease up again. */
export function createLease(redis: Redis): Lease {
  return {
    acquire: async (name, holder, ttlMs) =>
      (await redis.eval(ACQUIRE, 1, keyOf(name), holder, ttlMs)) === 1,
    renew: async (name, holder, ttlMs) =>
      (await redis.eval(RENEW, 1, keyOf(name), holder, ttlMs)) === 1,
    release: async (name, holder) => {
      await redis.eval(RELEASE, 1, keyOf(name), holder);
    },
  };
}

function keyOf(name: string): string {
  return `windlass:lease:${name}`;
}
