import { expect, it } from 'vitest';
import { afterCorrection, heldBackUntil } from '#core/kubernetes/fights.ts';
import type { Fight } from '#core/kubernetes/fights.ts';
import type { Change } from '#core/plan/change.ts';

function scaled(to: string): Change {
  return {
    action: 'update',
    key: 'Deployment/shop/web',
    fields: [{ path: 'spec.replicas', current: '5', desired: to }],
  };
}

it('makes the first correction again at once, and each later one after a longer pause', () => {
  let fight: Fight | undefined;
  let now = 0;
  const pauses: number[] = [];
  for (let each = 0; each < 9; each += 1) {
    expect(heldBackUntil(fight, scaled('2'), now)).toBeUndefined();
    fight = afterCorrection(fight, scaled('2'), now);
    pauses.push((fight.nextAt - now) / 1_000);
    now = fight.nextAt;
  }
  expect(pauses).toEqual([0, 2, 6, 18, 54, 162, 300, 300, 300]);
});

it('holds back that change only', () => {
  const fight = afterCorrection(afterCorrection(undefined, scaled('2'), 0), scaled('2'), 0);
  expect(heldBackUntil(fight, scaled('2'), 1_000)).toBe(2_000);
  expect(heldBackUntil(fight, scaled('3'), 1_000)).toBeUndefined();
});

it('forgets what was long ago', () => {
  const fight = afterCorrection(afterCorrection(undefined, scaled('2'), 0), scaled('2'), 0);
  expect(afterCorrection(fight, scaled('2'), 600_001).corrections).toBe(1);
});
