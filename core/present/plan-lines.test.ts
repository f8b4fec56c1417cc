import { describe, expect, it } from 'vitest';
import { planLines, planSummary } from '#core/present/plan-lines.ts';

describe('planLines', () => {
  it('shows each change with the fields that differ', () => {
    expect(
      planLines([
        { action: 'create', key: 'Namespace//shop', fields: [] },
        {
          action: 'update',
          key: 'Deployment/shop/web',
          fields: [
            { path: 'spec.replicas', current: '2', desired: '3' },
            { path: 'spec.paused', current: 'true' },
            { path: 'spec.minReadySeconds', desired: '5' },
          ],
        },
        { action: 'replace', key: 'Service/shop/web', fields: [], reason: 'the type differs' },
        { action: 'delete', key: 'ConfigMap/shop/old', fields: [], reason: 'not in git any more' },
      ]),
    ).toEqual([
      '+ create Namespace/shop',
      '~ update Deployment/shop/web',
      '    spec.replicas: 2 -> 3',
      '    spec.paused: true -> (none)',
      '    spec.minReadySeconds: (none) -> 5',
      '-/+ replace Service/shop/web (the type differs)',
      '- delete ConfigMap/shop/old (not in git any more)',
    ]);
  });

  it('keeps what a repository says on one line and out of the terminal', () => {
    const [, line] = planLines([
      {
        action: 'update',
        key: 'ConfigMap/default/a',
        fields: [{ path: 'data.x', current: 'a\nb', desired: '\u001B[2J' }],
      },
    ]);
    expect(line).toBe(String.raw`    data.x: a\nb -> \u001b[2J`);
  });

  it('cuts long values', () => {
    const [, line] = planLines([
      {
        action: 'update',
        key: 'ConfigMap/default/a',
        fields: [{ path: 'x', desired: 'y'.repeat(999) }],
      },
    ]);
    expect(line?.length).toBeLessThan(230);
  });
});

describe('planSummary', () => {
  it('counts by action', () => {
    expect(
      planSummary([
        { action: 'delete', key: 'a', fields: [] },
        { action: 'create', key: 'b', fields: [] },
        { action: 'create', key: 'c', fields: [] },
      ]),
    ).toBe('2 to create, 1 to delete');
  });

  it('says when there is nothing to do', () => {
    expect(planSummary([])).toBe('no changes');
  });
});
