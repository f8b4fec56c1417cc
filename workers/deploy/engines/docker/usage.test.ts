import { expect, it } from 'vitest';
import { usageOf } from './usage.ts';
import type { ContainerStats } from './usage.ts';

const START = Date.parse('2026-11-29T10:00:00Z');

function sample(seconds: number, cpuSeconds: number, memory: ContainerStats['memory_stats']) {
  const stats: ContainerStats = {
    read: new Date(START + seconds * 1_000).toISOString(),
    cpu_stats: { cpu_usage: { total_usage: cpuSeconds * 1e9 } },
    memory_stats: memory,
  };
  return { stats, at: seconds * 1_000 };
}

const none = { usage: 0 };
const second = { usage: 100, stats: { inactive_file: 30 } };
const first = { usage: 100, stats: { total_inactive_file: 40 } };

it.each([
  ['has no cpu at the first look', sample(0, 5, second), undefined, { memory: 70 }],
  [
    'has the cores of the time between two looks',
    sample(15, 35, second),
    sample(0, 5, second),
    { memory: 70, cpu: 2, since: 0 },
  ],
  ['knows the older control groups', sample(0, 0, first), undefined, { memory: 60 }],
  [
    'has no cpu where it counts from 0 again',
    sample(15, 1, none),
    sample(0, 5, none),
    { memory: 0 },
  ],
  ['has no cpu of no time', sample(0, 6, none), sample(0, 5, none), { memory: 0 }],
  ['is none of what has ended', sample(15, 0, {}), sample(0, 5, second), undefined],
])('%s', (_, now, before, expected) => {
  expect(usageOf(now, before)).toEqual(expected);
});
