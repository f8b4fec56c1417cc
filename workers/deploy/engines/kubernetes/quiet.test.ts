import { describe, expect, it } from 'vitest';
import type { DesiredState, Reconciliation } from '#core/engine.ts';
import { createQuiet } from './quiet.ts';

const RESOURCES = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }];
const DESIRED: DesiredState[] = [{ owner: 'shop/prod', release: 'r1', resources: RESOURCES }];
const STATUS = { owner: 'shop/prod', release: 'r1', plan: [], held: [], resources: [] };

function found(more: Partial<Reconciliation> = {}, serving = true): Reconciliation {
  const owners = [{ ...STATUS, serving }];
  return { owners, orphans: [], done: [], wakeAfterMs: 60_000, ...more };
}

describe('what a pass found', () => {
  it('holds while nothing changes, and no longer than kinds are known', () => {
    const quiet = createQuiet();
    const pass = found();
    quiet.keep(DESIRED, pass, quiet.revision(), 0);
    expect(quiet.last([{ ...DESIRED[0], resources: RESOURCES } as DesiredState], 1)).toBe(pass);
    expect(quiet.last(DESIRED, 600_001)).toBeUndefined();
  });

  it.each<[string, DesiredState[]]>([
    ['another release is wanted', [{ owner: 'shop/prod', release: 'r2', resources: RESOURCES }]],
    ['other resources are', [{ owner: 'shop/prod', release: 'r1', resources: [...RESOURCES] }]],
    [
      'it is suspended',
      [{ owner: 'shop/prod', release: 'r1', resources: RESOURCES, suspended: true }],
    ],
    ['another owner wants something', [...DESIRED, ...DESIRED]],
    ['nothing is wanted', []],
  ])('does not hold where %s', (_what, desired) => {
    const quiet = createQuiet();
    quiet.keep(DESIRED, found(), quiet.revision(), 0);
    expect(quiet.last(desired, 0)).toBeUndefined();
  });

  it('does not hold once the cluster has changed', () => {
    const quiet = createQuiet();
    quiet.keep(DESIRED, found(), quiet.revision(), 0);
    quiet.onChange();
    expect(quiet.last(DESIRED, 0)).toBeUndefined();
  });

  it('is not kept where the cluster has changed meanwhile', () => {
    const quiet = createQuiet();
    const begun = quiet.revision();
    quiet.onChange();
    quiet.keep(DESIRED, found(), begun, 0);
    expect(quiet.last(DESIRED, 0)).toBeUndefined();
  });

  it.each([
    ['something was done', found({ done: [{ owner: 'shop/prod', plan: [] }] })],
    ['something does not serve yet', found({}, false)],
  ])('is not kept where %s', (_what, pass) => {
    const quiet = createQuiet();
    quiet.keep(DESIRED, pass, quiet.revision(), 0);
    expect(quiet.last(DESIRED, 0)).toBeUndefined();
  });
});
