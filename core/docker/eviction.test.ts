import { describe, expect, it } from 'vitest';
import { overLimit } from '#core/docker/eviction.ts';

describe('overLimit', () => {
  it.each([
    [{}, {}, undefined],
    [{ cache: 2 ** 20 }, {}, undefined],
    [{ cache: 2 ** 20 }, { cache: 2 ** 20, other: 2 ** 30 }, undefined],
    [
      { cache: 2 ** 20, other: 5 },
      { cache: 2 ** 20 + 1_024 },
      'Usage of EmptyDir volume "cache" exceeds the limit "1Mi".',
    ],
    [{ a: 3e9 }, { a: 4e9 }, 'Usage of EmptyDir volume "a" exceeds the limit "3000000000".'],
    [
      { a: 1_536 * 2 ** 20 },
      { a: 4e9 },
      'Usage of EmptyDir volume "a" exceeds the limit "1536Mi".',
    ],
  ])('judges %o with %o in use', (limits, used, why) => {
    expect(overLimit(limits, used)).toBe(why);
  });
});
