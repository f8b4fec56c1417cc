import { expect, it } from 'vitest';
import type { Plan } from '#core/plan/change.ts';
import { createCorrections } from './corrections.ts';

const OWNER = 'shop/live';
const PLAN: Plan = [{ action: 'create', key: 'Deployment/default/web', fields: [] }];

function pass(release: string, serving: boolean, plan: Plan = []): Parameters<Pass> {
  return [[{ owner: OWNER, release, serving }], [{ owner: OWNER, plan }]];
}
type Pass = ReturnType<typeof createCorrections>['passed'];

it('counts what is put right, and not what a release changes', () => {
  const corrections = createCorrections([]);
  corrections.passed(...pass('r1', false, PLAN));
  corrections.passed(...pass('r1', true));
  expect(corrections.counts()).toEqual({});
  corrections.passed(...pass('r1', false, PLAN));
  corrections.passed(...pass('r1', true, PLAN));
  expect(corrections.counts()).toEqual({ [OWNER]: 2 });
  corrections.passed(...pass('r2', true, PLAN));
  corrections.passed(...pass('r2', true));
  expect(corrections.counts()).toEqual({ [OWNER]: 2 });
});

it('does not count what is scaled by what its pods use', () => {
  const corrections = createCorrections([{ owner: OWNER, release: 'r1', serving: true }]);
  const key = 'HorizontalPodAutoscaler/default/web';
  corrections.passed(...pass('r1', true, [{ action: 'update', key, fields: [] }, ...PLAN]));
  expect(corrections.counts()).toEqual({ [OWNER]: 0 });
});

it('counts what was altered while no worker was there', () => {
  const corrections = createCorrections([{ owner: OWNER, release: 'r1', serving: true }]);
  corrections.passed(...pass('r1', true, PLAN));
  expect(corrections.counts()).toEqual({ [OWNER]: 1 });
});
