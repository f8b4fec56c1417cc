import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Images } from './images.ts';
import { createProblems } from './problems.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

it('waits longer each time, and forgets pods that nobody tries again', () => {
  const problems = createProblems({} as Images);
  problems.failed('gone', 'main', 'no');
  problems.failed('web', 'main', 'no');
  problems.failed('web', 'main', 'no');
  expect(problems.of('web')?.retryAt).toBe(1_010_000);
  expect(problems.isTooEarly('web')).toBe(true);
  vi.setSystemTime(1_500_000);
  expect(problems.isTooEarly('web')).toBe(false);
  problems.failed('web', 'main', 'still no');
  expect(problems.of('gone')).toBeDefined();
  vi.setSystemTime(1_700_000);
  problems.failed('web', 'main', 'still no');
  expect(problems.of('gone')).toBeUndefined();
  expect(problems.of('web')?.retryAt).toBe(1_740_000);
});
