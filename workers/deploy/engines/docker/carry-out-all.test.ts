import { expect, it } from 'vitest';
import type { OwnerStatus } from '#core/engine.ts';
import { withFailures, withWaits } from './carry-out-all.ts';

const serving: OwnerStatus = {
  owner: 'shop/here',
  release: 'r',
  plan: [],
  held: [],
  resources: [
    { key: 'Service/default/web', health: { status: 'Healthy', reason: '' }, summary: ':8080' },
    { key: 'Service/default/db', health: { status: 'Healthy', reason: '' }, summary: ':5432' },
  ],
  serving: true,
};
const wait = { owner: 'shop/here', key: 'Service/default/web', message: 'waits' } as const;

it('is no failure to wait, and no success', () => {
  const [status] = withWaits([serving], [wait]);
  expect(status).toMatchObject({ serving: false });
  expect(status).not.toHaveProperty('failure');
  expect(status?.resources.map(({ health }) => health)).toEqual([
    { status: 'Progressing', reason: 'waits' },
    { status: 'Healthy', reason: '' },
  ]);
  expect(withWaits([serving], [{ ...wait, owner: 'other/here' }])).toEqual([serving]);
});

it('holds up the owner alone', () => {
  const other = { ...serving, owner: 'other/here' as const };
  const failures = [{ owner: 'shop/here' as const, message: 'no' }];
  expect(withFailures([serving, other], failures)).toEqual([
    { ...serving, serving: false, failure: 'no' },
    other,
  ]);
});
