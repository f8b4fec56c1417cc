import { expect, it } from 'vitest';
import { LEFT_MS, leftServers, withLeft } from './left-servers.ts';

const OTHERS = { 'windlass.dev/cluster': 'c.i', mine: 'x' };

it('remembers how a server that left is reached, until it is cleaned', () => {
  const left = withLeft(OTHERS, { server: 's5', reach: '{"docker":"unix:///s5"}' }, 1_000);
  expect(left).toMatchObject(OTHERS);
  expect(leftServers(left, 2_000)).toEqual(new Map([['s5', '{"docker":"unix:///s5"}']]));
  expect(withLeft(left, { server: 's5' }, 2_000)).toEqual(OTHERS);
});

it('forgets it after its time', () => {
  const left = withLeft(OTHERS, { server: 's5', reach: 'there' }, 1_000);
  expect(leftServers(left, 1_001 + LEFT_MS)).toEqual(new Map());
  expect(Object.keys(withLeft(left, { server: 's6', reach: 'here' }, 1_001 + LEFT_MS))).toEqual([
    'windlass.dev/cluster',
    'mine',
    'windlass.dev/left.s6',
  ]);
});

it('takes what somebody else wrote there for nothing', () => {
  expect(leftServers({ 'windlass.dev/left.s5': 'there' }, 0)).toEqual(new Map());
});
