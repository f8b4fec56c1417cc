/** How a cluster's network is divided: pods below, Services above, with the proxy at the first address of theirs. */
export interface NetworkLayout {
  subnet: string;
  prefix: number;
  /** What Docker gives to pods. */
  podRange: string;
  gateway: string;
  /** The proxy's and name server's own address. */
  systemIp: string;
  serviceRange: { first: string; size: number };
}

const FIRST_CANDIDATE = 88;
const LAST_CANDIDATE = 247;
const WIDEST_PREFIX = 16;
const NARROWEST_PREFIX = 24;

export function layoutOf(subnet: string): NetworkLayout {
  const [base = '', bits = ''] = subnet.split('/');
  const prefix = Number(bits);
  if (!(prefix >= WIDEST_PREFIX && prefix <= NARROWEST_PREFIX)) {
    throw new RangeError(
      `${subnet}: a subnet of /${WIDEST_PREFIX} to /${NARROWEST_PREFIX} is needed`,
    );
  }
  const size = 2 ** (32 - prefix);
  const first = Math.floor(toNumber(base) / size) * size;
  const upper = first + size / 2;
  return {
    subnet: `${toAddress(first)}/${prefix}`,
    prefix,
    podRange: `${toAddress(first)}/${prefix + 1}`,
    gateway: toAddress(first + 1),
    systemIp: toAddress(upper + 1),
    // Without the broadcast address.
    serviceRange: { first: toAddress(upper + 2), size: size / 2 - 3 },
  };
}

/** Subnets to try in order, leaving out those that meet an address in use. */
export function candidateSubnets(inUse: readonly string[]): string[] {
  const candidates: string[] = [];
  for (let second = FIRST_CANDIDATE; second <= LAST_CANDIDATE; second += 1) {
    if (!inUse.some((cidr) => overlaps(`10.${second}.0.0/16`, cidr))) {
      candidates.push(`10.${second}.0.0/16`);
    }
  }
  return candidates;
}

/**
 * The subnets that a host has ways into, by its `/proc/net/route`: also those of bridges that nothing is on, which are in no
 * list of interfaces that run. Ways wider than a cluster's network are left out: what is narrower goes before them.
 */
export function routedSubnets(routes: string): string[] {
  return routes.split('\n').flatMap((line) => {
    const [, destination = '', , , , , , mask = ''] = line.split('\t');
    const bits = bytesOf(mask).reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
      0,
    );
    return bits < WIDEST_PREFIX ? [] : [`${bytesOf(destination).join('.')}/${bits}`];
  });
}

/** Of an address as the kernel tells it: eight digits, the last byte first. */
function bytesOf(hex: string): number[] {
  return (/^[0-9A-F]{8}$/.test(hex) ? (hex.match(/../g) ?? []) : [])
    .map((byte) => Number.parseInt(byte, 16))
    .toReversed();
}

export function overlaps(left: string, right: string): boolean {
  const [a, b] = [span(left), span(right)];
  return a.first < b.first + b.size && b.first < a.first + a.size;
}

function span(cidr: string): { first: number; size: number } {
  const [base = '', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(toNumber(base) / size) * size, size };
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
