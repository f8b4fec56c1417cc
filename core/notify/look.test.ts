import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { look, newBook } from '#core/notify/look.ts';
import type { Sight } from '#core/notify/look.ts';
import type { FleetSight } from '#core/notify/look-at-servers.ts';
import { Notice } from '#core/notify/notice.ts';
import { PATIENCE_MS } from '#core/notify/outage.ts';
import type { OwnerReport } from '#core/ports.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Run } from '#core/run/run.ts';

const START = 1_000_000;

function run(id: string, state: Run['state'], endedAt: number, more: Partial<Run> = {}): Run {
  const made = newRun({
    id,
    pipeline: 'shop',
    spec: PipelineSpec.parse({}),
    trigger: { kind: 'push', ref: 'refs/heads/main', after: 'a'.repeat(40), who: 'ann' },
    at: endedAt - 10,
  });
  const end = state === 'running' ? {} : { endedAt };
  return { ...made, state, ...end, reason: state === 'failed' ? 'the test failed' : '', ...more };
}

function owner(serving: boolean, more: Partial<OwnerReport> = {}): OwnerReport {
  return {
    owner: 'shop/live',
    release: 'r1',
    plan: [],
    held: [],
    resources: [],
    overrides: [],
    serving,
    ...(serving ? {} : { failure: 'Deployment/default/web crashes' }),
    ...more,
  };
}

/** Looks at one sight after the other, each a time apart. */
function tell(sights: readonly (Partial<Sight> & { after?: number })[]): string[] {
  let book = newBook(START);
  let now = START;
  return sights.flatMap(({ runs = [], clusters = [], after = 1_000 }) => {
    now += after;
    const seen = look(book, { runs, clusters }, now);
    ({ book } = seen);
    return seen.notices.map((notice) => Notice.parse(notice).text);
  });
}

function serving(is: boolean, more: Partial<OwnerReport> = {}): Sight['clusters'] {
  return [{ cluster: 'one', owners: [owner(is, more)] }];
}

/** A run that has released what is not serving. */
function deploys(id: string, state: 'running' | 'failed'): Run {
  return run(id, state, START + 5, {
    steps: [{ name: 'release live', state: 'succeeded' }],
    deploys: [{ entry: 'live', cluster: 'one', state }],
  });
}

const DOWN = 'shop: live on cluster one does not serve: Deployment/default/web crashes';
const UP = 'shop: live on cluster one serves again';
const FAILED = 'shop: run r1 of main at aaaaaaaa by ann failed: the test failed';

describe('look', () => {
  it('tells each run that fails once, and once that it is well again', () => {
    const first = run('r1', 'failed', START + 5);
    const second = run('r2', 'failed', START + 6);
    const third = run('r3', 'succeeded', START + 7);
    const fourth = run('r4', 'succeeded', START + 8);
    expect(
      tell([
        { runs: [first] },
        { runs: [first] },
        { runs: [second, first] },
        { runs: [third, second, first] },
        { runs: [fourth, third, second, first] },
      ]),
    ).toEqual([
      FAILED,
      'shop: run r2 of main at aaaaaaaa by ann failed: the test failed',
      'shop: run r3 of main at aaaaaaaa by ann succeeded again',
    ]);
  });

  it('tells nothing of what ended before it began, was cancelled or was overtaken', () => {
    expect(
      tell([
        {
          runs: [
            run('r1', 'failed', START - 1),
            run('r2', 'cancelled', START + 1),
            run('r3', 'superseded', START + 2),
            run('r4', 'running', START + 3),
          ],
        },
      ]),
    ).toEqual([]);
  });

  it('tells of each branch by itself', () => {
    const other = run('r2', 'succeeded', START + 6, { branch: 'next' });
    expect(tell([{ runs: [run('r1', 'failed', START + 5)] }, { runs: [other] }])).toEqual([FAILED]);
  });

  it('tells what does not serve for a minute, once, and that it serves again for as long', () => {
    expect(
      tell([
        { clusters: serving(true) },
        { clusters: serving(false) },
        { clusters: serving(false), after: PATIENCE_MS - 1 },
        { clusters: serving(false), after: 1 },
        { clusters: serving(false), after: PATIENCE_MS },
        { clusters: serving(true) },
        { clusters: serving(true), after: PATIENCE_MS - 1 },
        { clusters: serving(true), after: 1 },
        { clusters: serving(true), after: PATIENCE_MS },
      ]),
    ).toEqual([DOWN, UP]);
  });

  it.each([
    { flaps: 'and is never away for long', downMs: PATIENCE_MS / 2, expected: [] },
    { flaps: 'and is never back for long', downMs: 2 * PATIENCE_MS, expected: [DOWN] },
  ])('floods nobody with what flaps $flaps', ({ downMs, expected }) => {
    const flapping = Array.from({ length: 40 }, (_, index) => ({
      clusters: serving(index % 3 === 0),
      after: index % 3 === 0 ? PATIENCE_MS / 2 : downMs / 2,
    }));
    expect(tell(flapping)).toEqual(expected);
  });

  it.each([
    { while: 'a run is at work there', sight: { runs: [deploys('r1', 'running')] } },
    { while: 'it is suspended', more: { suspended: { who: 'ann', at: START } } },
  ])('tells nothing of what does not serve while $while', ({ sight = {}, more = {} }) => {
    const clusters = serving(false, more);
    expect(
      tell([
        { clusters, ...sight },
        { clusters, ...sight, after: 2 * PATIENCE_MS },
      ]),
    ).toEqual([]);
  });

  it('tells what stops to serve while a run builds, or after one that failed elsewhere', () => {
    const runs = [run('r1', 'failed', START + 5, { branch: 'next' }), run('r2', 'running', START)];
    expect(
      tell([
        { runs, clusters: serving(false) },
        { runs, clusters: serving(false), after: PATIENCE_MS },
      ]),
    ).toEqual([FAILED.replace('main', 'next'), DOWN]);
  });

  it('tells a failed deploy only, and not its consequences too', () => {
    const runs = [deploys('r1', 'failed')];
    const clusters = serving(false);
    expect(
      tell([
        { runs: [deploys('r1', 'running')], clusters },
        { runs, clusters },
        { runs, clusters, after: 2 * PATIENCE_MS },
        { runs, clusters, after: 2 * PATIENCE_MS },
        { runs: [run('r2', 'succeeded', START + 9)], clusters: serving(true) },
        { clusters: serving(true), after: 2 * PATIENCE_MS },
        { clusters: serving(false) },
        { clusters: serving(false), after: PATIENCE_MS },
      ]),
    ).toEqual([FAILED, 'shop: run r2 of main at aaaaaaaa by ann succeeded again', DOWN]);
  });

  it('tells of a cluster that cannot be reached by what runs there', () => {
    const clusters = [{ cluster: 'one', owners: [owner(true)], error: 'connection refused' }];
    expect(tell([{ clusters }, { clusters, after: PATIENCE_MS }])).toEqual([
      'shop: live on cluster one is out of reach: connection refused',
    ]);
  });

  it('tells a lost quorum once, and once that it is back, and nothing of servers that nobody can tell of', () => {
    const error =
      'quorum is lost: 1 of 3 managers answer, 2 are needed. What runs goes on, nothing can be changed';
    function fleet(state: string): FleetSight['fleet'] {
      const names = ['s1', 's2', 's3', 's4'];
      return { servers: names.map((name) => ({ name, state, declared: 'active' })) };
    }
    const owners = [owner(true)];
    const well = [{ cluster: 'fleet', owners, fleet: fleet('ready') }];
    const lost = [{ cluster: 'fleet', owners, fleet: fleet('unknown'), error }];
    expect(
      tell([
        { clusters: well },
        { clusters: lost },
        { clusters: lost, after: PATIENCE_MS },
        { clusters: lost, after: PATIENCE_MS },
        { clusters: well },
        { clusters: well, after: PATIENCE_MS },
        { clusters: well, after: PATIENCE_MS },
      ]),
    ).toEqual([
      `shop: live on cluster fleet is out of reach: ${error}`,
      'shop: live on cluster fleet serves again',
    ]);
  });

  it('gives no id twice, whatever happens', () => {
    const states = fc.constantFrom<Run['state'][]>('failed', 'succeeded', 'cancelled');
    const steps = fc.array(
      fc.record({ ended: fc.option(states), serves: fc.boolean(), after: fc.nat(2 * PATIENCE_MS) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (taken) => {
        let book = newBook(START);
        let now = START;
        const runs: Run[] = [];
        const notices: Notice[] = [];
        taken.forEach(({ ended, serves, after }, index) => {
          now += after;
          if (ended !== null) runs.unshift(run(`r${index}`, ended, now));
          const seen = look(book, { runs, clusters: serving(serves) }, now);
          ({ book } = seen);
          notices.push(...seen.notices);
        });
        const ids = notices.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(notices.filter(({ of, kind }) => of === 'run' && kind === 'failure')).toHaveLength(
          runs.filter(({ state }) => state === 'failed').length,
        );
      }),
    );
  });
});
