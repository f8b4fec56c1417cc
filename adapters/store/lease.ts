import type { Redis } from 'ioredis';
import type { Lease } from '#core/ports.ts';

const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;
const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** Leases as keys that expire. */
export function createLease(redis: Redis): Lease {
  return {
    acquire: async (name, holder, ttlMs) =>
      (await redis.set(keyOf(name), holder, 'PX', ttlMs, 'NX')) === 'OK',
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
