import { describe, expect, it } from 'vitest';
import { candidateSubnets, layoutOf, overlaps } from './subnets.ts';

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
