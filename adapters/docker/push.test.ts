import { expect, it } from 'vitest';
import { createPushLines } from './push.ts';

it('tells of layers as they end, and of each wait once', () => {
  const lineOf = createPushLines();
  const statuses = [
    'Preparing',
    ...[3, 2, 1].map((seconds) => `Retrying in ${seconds} second${seconds === 1 ? '' : 's'} `),
    'Pushing',
    ...[5, 4].map((seconds) => `Retrying in ${seconds} seconds `),
    'Pushed',
  ];
  const lines = statuses.map((status) => lineOf({ id: 'a1', status }));
  expect(lines.filter((line) => line !== undefined)).toEqual([
    'a1: the registry did not take it, trying again in 3 s',
    'a1: the registry did not take it, trying again in 5 s',
    'a1: Pushed',
  ]);
  expect(lineOf({ status: 'The push refers to repository [here]' })).toBeUndefined();
});
