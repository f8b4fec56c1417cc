import { describe, expect, it } from 'vitest';
import { clockAhead } from './clock.ts';

describe("the clock of Docker's host", () => {
  const between = { asked: 100_000, answered: 100_300 };

  it.each([
    ['is the same', 100_100, 0],
    ['is as good as the same', 102_200, 0],
    ['is ahead, by what cannot be the way there', 130_300, 30_000],
    ['is behind, by what cannot be the way there', 40_000, -60_000],
  ])('%s', (_, theirs, ahead) => {
    expect(clockAhead(theirs, between)).toBe(ahead);
  });
});
