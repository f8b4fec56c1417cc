import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Plan } from '#core/plan/change.ts';
import { guardPrune } from '#core/plan/prune-guard.ts';

const GUARD = { share: 0.3, atLeast: 3 };

function keys(from: number, to: number): string[] {
  return Array.from(
    { length: Math.max(0, to - from) },
    (_, index) => `ConfigMap/a/c${from + index}`,
  );
}

function deletions(of: readonly string[]): Plan {
  return of.map((key) => ({ action: 'delete', key, fields: [] }));
}

describe('guardPrune', () => {
  it.each([
    { name: 'lets two of two pass', has: 2, gone: 2, held: 0 },
    { name: 'holds three of three', has: 3, gone: 3, held: 3 },
    { name: 'lets exactly the share pass', has: 10, gone: 3, held: 0 },
    { name: 'holds what is more than the share', has: 9, gone: 3, held: 3 },
    { name: 'holds everything of many', has: 100, gone: 31, held: 31 },
  ])('$name', ({ has, gone, held }) => {
    const owned = keys(0, has).map((key) => ({ key }));
    expect(guardPrune(deletions(keys(0, gone)), owned, GUARD).held).toHaveLength(held);
  });

  it('holds deletions only, and says what they wait for', () => {
    const create = { action: 'create' as const, key: 'ConfigMap/a/new', fields: [] };
    const owned = keys(0, 3).map((key) => ({ key }));
    const { plan, held } = guardPrune([create, ...deletions(keys(0, 3))], owned, GUARD);
    expect(plan).toEqual([create]);
    expect(held.every(({ reason }) => reason?.includes('waits for a confirmation'))).toBe(true);
  });

  it.each([
    ['no guard', undefined],
    ['a guard of 100 %', { share: 1, atLeast: 0 }],
  ])('holds nothing with %s', (_name, guard) => {
    const owned = keys(0, 5).map((key) => ({ key, held: true }));
    expect(guardPrune(deletions(keys(0, 5)), owned, guard).held).toEqual([]);
  });

  it('goes on with what it let pass: what is left is never held half-way', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.nat(200),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(6),
        (has, some, share, atLeast) => {
          const gone = Math.min(some, has);
          const guard = { share, atLeast };
          const owned = keys(0, has).map((key) => ({ key }));
          if (guardPrune(deletions(keys(0, gone)), owned, guard).held.length > 0) return;
          for (let done = 1; done < gone; done += 1) {
            const left = guardPrune(deletions(keys(done, gone)), owned.slice(done), guard);
            expect(left.held).toEqual([]);
          }
        },
      ),
    );
  });

  it('stays held however much the release creates meanwhile', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 50 }),
        fc.nat(50),
        fc.nat(500),
        (gone, kept, created) => {
          const before = keys(0, gone + kept).map((key) => ({ key }));
          const { held } = guardPrune(deletions(keys(0, gone)), before, GUARD);
          if (held.length === 0) return;
          const marked = new Set(held.map(({ key }) => key));
          const after = [
            ...before.map(({ key }) => ({ key, held: marked.has(key) })),
            ...keys(1_000, 1_000 + created).map((key) => ({ key })),
          ];
          expect(guardPrune(deletions(keys(0, gone)), after, GUARD).held).toEqual(held);
        },
      ),
    );
  });
});
