import { expect, it } from 'vitest';
import { createNotedTimes, dueAt } from './noted-times.ts';

it('leaves what has been alone', () => {
  const times = createNotedTimes(() => 1_000);
  expect([0, 999, 1_000].map((at) => times.of(at))).toEqual([0, 999, 1_000]);
});

it('counts what lies ahead from when it was first seen, also once that has come', () => {
  let now = 1_000;
  const times = createNotedTimes(() => now);
  expect(times.of(3_600_000)).toBe(1_000);
  now = 2_000;
  expect(times.of(3_600_000)).toBe(1_000);
  now = 3_600_001;
  expect(times.of(3_600_000)).toBe(1_000);
  now = 500;
  expect(times.of(3_600_000)).toBe(500);
});

it('remembers no more than there can be', () => {
  let now = 0;
  const times = createNotedTimes(() => now);
  for (let at = 1; at <= 6_000; at += 1) times.of(1_000_000 + at);
  now = 10;
  expect(times.of(1_000_001)).toBe(10);
  expect(times.of(1_006_000)).toBe(0);
});

it.each([
  ['has been', 900, 900],
  ['is near', 1_500, 1_500],
  ['lies as far ahead as it may', 2_000, 2_000],
  ['lies further ahead, of a clock that was set back', 3_600_000, 1_000],
])('does again what is due at a time that %s', (_what, at, due) => {
  expect(dueAt(at, 1_000, 1_000)).toBe(due);
});
