import { expect, it } from 'vitest';
import { checkSelector, Selector } from '#core/docker/selectors.ts';

const LABELS = { app: 'web', tier: 'front' };

function told(selector: unknown): string[] {
  const paths: string[] = [];
  checkSelector(Selector.parse(selector), LABELS, (path) => paths.push(path.join('.')));
  return paths;
}

it.each([
  [{ key: 'app', operator: 'In', values: ['web', 'shop'] }, true],
  [{ key: 'app', operator: 'In', values: ['shop'] }, false],
  [{ key: 'no', operator: 'In', values: ['web'] }, false],
  [{ key: 'app', operator: 'NotIn', values: ['shop'] }, true],
  [{ key: 'app', operator: 'NotIn', values: ['web'] }, false],
  [{ key: 'no', operator: 'NotIn', values: ['web'] }, true],
  [{ key: 'tier', operator: 'Exists' }, true],
  [{ key: 'no', operator: 'Exists', values: [] }, false],
  [{ key: 'no', operator: 'DoesNotExist' }, true],
  [{ key: 'app', operator: 'DoesNotExist' }, false],
])('%j matches the labels: %s', (requirement, matches) => {
  const expected = matches ? [] : ['spec.selector.matchExpressions.0'];
  expect(told({ matchExpressions: [requirement] })).toEqual(expected);
});

it.each([
  { key: 'app', operator: 'In', values: [] },
  { key: 'app', operator: 'In' },
  { key: 'app', operator: 'Exists', values: ['web'] },
  { key: 'app', operator: 'Is', values: ['web'] },
  { key: '', operator: 'Exists' },
])('%j is no requirement', (requirement) => {
  expect(Selector.safeParse({ matchExpressions: [requirement] }).success).toBe(false);
});

it('wants all of the labels and expressions, and at least one of them', () => {
  const exists = { key: 'tier', operator: 'Exists' };
  expect(told({ matchLabels: { app: 'web' }, matchExpressions: [exists] })).toEqual([]);
  expect(told({ matchLabels: { app: 'shop' }, matchExpressions: [exists] })).toEqual([
    'spec.selector.matchLabels.app',
  ]);
  expect(told({})).toEqual(['spec.selector']);
});
