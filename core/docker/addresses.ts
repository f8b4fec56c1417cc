import type { LiveRecord, World } from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/**
 * Gives each Service its address: the one recorded, else the first free one from where its name's hash points, so that
 * a record lost by hand mostly comes back with the same address.
 */
export function assignAddresses(
  keys: readonly ResourceKey[],
  records: readonly LiveRecord[],
  range: World['serviceRange'],
): Map<ResourceKey, string> {
  const assigned = new Map(
    records.flatMap(({ key, clusterIp }) =>
      clusterIp === undefined ? [] : [[key, clusterIp] as const],
    ),
  );
  const taken = new Set(assigned.values());
  for (const key of keys.toSorted()) {
    if (assigned.has(key)) continue;
    const address = freeAddress(key, taken, range);
    taken.add(address);
    assigned.set(key, address);
  }
  return assigned;
}

function freeAddress(
  key: ResourceKey,
  taken: ReadonlySet<string>,
  { first, size }: World['serviceRange'],
): string {
  const start = Number.parseInt(contentHash(key).slice(-8), 16) % size;
  for (let offset = 0; offset < size; offset += 1) {
    const address = addressAt(first, (start + offset) % size);
    if (!taken.has(address)) return address;
  }
  throw new UserError('conflict', `there is no free address for ${key}: all ${size} are taken`, {
    hint: 'give the cluster a larger network.subnet',
  });
}

/** The IPv4 address `offset` after `first`. */
function addressAt(first: string, offset: number): string {
  const number = first.split('.').reduce((total, octet) => total * 256 + Number(octet), 0) + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
