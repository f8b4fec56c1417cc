import { describe, expect, it } from 'vitest';
import { candidateSubnets, layoutOf, overlaps, routedSubnets } from './subnets.ts';

describe('layoutOf', () => {
  it.each([
    {
      subnet: '10.88.0.0/16',
      podRange: '10.88.0.0/17',
      gateway: '10.88.0.1',
      systemIp: '10.88.128.1',
      serviceRange: { first: '10.88.128.2', size: 32_765 },
    },
    {
      subnet: '192.168.7.0/24',
      podRange: '192.168.7.0/25',
      gateway: '192.168.7.1',
      systemIp: '192.168.7.129',
      serviceRange: { first: '192.168.7.130', size: 125 },
    },
  ])('halves $subnet', ({ subnet, ...expected }) => {
    expect(layoutOf(subnet)).toMatchObject(expected);
  });

  it('starts at the network address', () => {
    expect(layoutOf('10.88.3.4/16').subnet).toBe('10.88.0.0/16');
  });

  it.each(['10.0.0.0/8', '10.0.0.0/25', '10.0.0.0'])('refuses %s', (subnet) => {
    expect(() => layoutOf(subnet)).toThrow('/16 to /24');
  });
});

describe('candidateSubnets', () => {
  it('leaves out what is in use', () => {
    const subnets = candidateSubnets(['10.88.1.0/24', '10.90.0.0/15', '172.17.0.0/16']);
    expect(subnets.slice(0, 2)).toEqual(['10.89.0.0/16', '10.92.0.0/16']);
  });
});

describe('routedSubnets', () => {
  it('are those of networks, be they up or not, and not of wider ways', () => {
    const rows = [
      ['Iface', 'Destination', 'Gateway ', 'Flags', 'RefCnt', 'Use', 'Metric', 'Mask', 'MTU'],
      ['eth0', '00000000', '010200C0', '0003', '0', '0', '0', '00000000', '0'],
      ['tun0', '0000000A', '00000000', '0001', '0', '0', '0', '000000FF', '0'],
      ['podman0', '0000580A', '00000000', '0001', '0', '0', '0', '0000FFFF', '0'],
      ['eth0', '000200C0', '00000000', '0001', '0', '0', '0', '00FFFFFF', '0'],
    ];
    const routes = rows.map((row) => `${row.join('\t')}\n`).join('');
    expect(routedSubnets(routes)).toEqual(['10.88.0.0/16', '192.0.2.0/24']);
  });

  it('are none where nothing is told', () => {
    expect(routedSubnets('')).toEqual([]);
  });
});

describe('overlaps', () => {
  it.each([
    ['10.0.0.0/8', '10.88.0.0/16', true],
    ['10.88.0.0/16', '10.89.0.0/16', false],
    ['10.88.0.5', '10.88.0.0/16', true],
  ])('%s and %s: %s', (left, right, expected) => {
    expect(overlaps(left, right)).toBe(expected);
    expect(overlaps(right, left)).toBe(expected);
  });
});
