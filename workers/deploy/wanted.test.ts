import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import { Window } from '#core/windows/window.ts';
import { createWanted } from './wanted.ts';

const GUARD = { share: 0.3, atLeast: 3 };
const NOBODY = new Set<string>();
const note = { who: 'ada', at: 1 };

function release(owner: string, commit = 'r1'): DesiredState {
  return { owner, release: commit, resources: [] };
}

describe('createWanted', () => {
  it('wants what declared owners have released, guarded', () => {
    const wanted = createWanted('here', GUARD, () => 1_000);
    wanted.declare(['shop/here', 'blog/here'], NOBODY);
    wanted.keep(release('shop/here'));
    expect(wanted.unknown()).toEqual(['blog/here']);
    expect(wanted.all(NOBODY)).toEqual([{ ...release('shop/here'), guard: GUARD }]);
  });

  it('leaves what is declared no longer alone, and has it told anew when it is back', () => {
    const wanted = createWanted('here', GUARD, () => 1_000);
    wanted.declare(['shop/here'], NOBODY);
    wanted.keep(release('shop/here'));
    wanted.declare([], NOBODY);
    expect(wanted.all(NOBODY)).toEqual([]);
    wanted.declare(['shop/here'], NOBODY);
    expect(wanted.unknown()).toEqual(['shop/here']);
  });

  it('tells until when windows keep deploys from beginning, and who opened them', () => {
    let now = Date.parse('2026-06-01T12:00Z');
    const wanted = createWanted('here', GUARD, () => now);
    const night = Window.parse({ kind: 'allow', schedule: '0 22 * * *', minutes: 60 });
    wanted.declare(['shop/here'], NOBODY, new Map([['shop/here', [night]]]));
    const status = { owner: 'shop/here', release: 'r1', plan: [], held: [], resources: [] };
    function closed(): string | undefined {
      return wanted.report({ ...status, serving: true }).closed;
    }
    expect(closed()).toContain('deploys are closed until 2026-06-01 22:00 UTC');
    wanted.takeByHand({ 'shop/here': { opened: { ...note, until: now + 60_000 } } });
    expect(closed()).toBe('deploys were opened by ada until 2026-06-01 12:01 UTC');
    now = Date.parse('2026-06-01T22:00Z');
    expect(closed()).toBeUndefined();
  });

  it('goes on with a deploy of what is declared no longer', () => {
    const wanted = createWanted('here', GUARD, () => 1_000);
    const deploying = new Set(['shop/here']);
    wanted.keep(release('shop/here'));
    wanted.declare([], deploying);
    expect(wanted.all(deploying).map(({ owner }) => owner)).toEqual(['shop/here']);
    expect(wanted.all(NOBODY)).toEqual([]);
  });

  it('guards no release whose deletions were confirmed', () => {
    const wanted = createWanted('here', GUARD, () => 1_000);
    wanted.declare(['shop/here'], NOBODY);
    wanted.keep(release('shop/here'));
    wanted.takeByHand({ 'shop/here': { confirmed: { ...note, release: 'r1' } } });
    expect(wanted.all(NOBODY)[0]?.guard).toBeUndefined();
    wanted.keep(release('shop/here', 'r2'));
    expect(wanted.all(NOBODY)[0]?.guard).toEqual(GUARD);
  });

  it.each([
    { name: 'deletes what was deleted here', cluster: 'here', declared: [], owners: ['shop/here'] },
    { name: 'leaves what was deleted elsewhere', cluster: 'there', declared: [], owners: [] },
    {
      name: 'never deletes what is declared',
      cluster: 'here',
      declared: ['shop/here'],
      owners: [],
    },
  ])('$name', ({ cluster, declared, owners }) => {
    const wanted = createWanted('here', GUARD, () => 1_000);
    wanted.declare(declared, NOBODY);
    wanted.takeByHand({ 'shop/here': { deleted: [{ ...note, cluster }] } });
    const all = wanted.all(NOBODY);
    expect(all.map(({ owner }) => owner)).toEqual(owners);
    expect(all.every(({ resources, guard }) => resources.length === 0 && !guard)).toBe(true);
  });
});
