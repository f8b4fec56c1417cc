import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { RunEvent } from '#core/run/events.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { newRun } from '#core/run/new-run.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { isReleasing, isSupersededBy, transition } from '#core/run/transition.ts';

const spec = PipelineSpec.parse({
  images: [{ name: 'web', test: 'check' }],
  deploy: [
    { cluster: 'staging', manifests: 'deploy' },
    { cluster: 'production', manifests: 'deploy' },
  ],
});
const trigger = {
  kind: 'push',
  ref: 'refs/heads/main',
  after: 'a'.repeat(40),
  who: 'ada',
} as const;

function run(events: readonly RunEvent[], id = 'r1', createdAt = 0): Run {
  return events.reduce(transition, newRun({ id, pipeline: 'hello', spec, trigger, at: createdAt }));
}

const started: RunEvent = { kind: 'started', at: 1 };
const rendered: RunEvent = { kind: 'rendered', at: 2 };
const released: RunEvent = { kind: 'released', entry: 'staging', release: 'c1', at: 3 };
const deployed: RunEvent = { kind: 'deployed', entry: 'staging', at: 4 };
const held = [{ action: 'delete' as const, key: 'ConfigMap/default/a', fields: [] }];
const deployedToo: RunEvent = { kind: 'deployed', entry: 'production', at: 5 };

describe('transition', () => {
  it('lists every step before anything has begun', () => {
    expect(run([]).steps.map((step) => step.name)).toEqual([
      'clone',
      'test web',
      'build web',
      'push web',
      'render',
      'release staging',
      'deploy staging',
      'release production',
      'deploy production',
    ]);
  });

  it('tells which deletions wait, and how to let them pass', () => {
    const { deploys, steps } = run([started, rendered, released, { ...deployed, held }]);
    const told = '1 deletion waits for a confirmation: windlass confirm hello staging';
    expect(deploys[0]).toMatchObject({ state: 'succeeded', held, reason: told });
    expect(steps.find(({ name }) => name === 'deploy staging')?.detail).toBe(told);
  });

  it.each<{
    name: string;
    events: RunEvent[];
    state: Run['state'];
    reason: string;
    jobs: string[];
  }>([
    {
      name: 'a recorded run waits for its build',
      events: [],
      state: 'queued',
      reason: '',
      jobs: ['r1.build'],
    },
    {
      name: 'a rendered run goes on with its first deploy',
      events: [started, rendered],
      state: 'running',
      reason: '',
      jobs: ['r1.deploy.staging'],
    },
    {
      name: 'deploys come one after the other',
      events: [started, rendered, released, deployed],
      state: 'running',
      reason: '',
      jobs: ['r1.deploy.production'],
    },
    {
      name: 'it has succeeded when every deploy has',
      events: [started, rendered, released, deployed, deployedToo],
      state: 'succeeded',
      reason: '',
      jobs: [],
    },
    {
      name: 'deletions that wait do not hold it up',
      events: [started, rendered, released, { ...deployed, held }, deployedToo],
      state: 'succeeded',
      reason: '',
      jobs: [],
    },
    {
      name: 'a failed deploy ends it',
      events: [
        started,
        rendered,
        released,
        { kind: 'deploy-failed', entry: 'staging', reason: 'web crashed', at: 9 },
      ],
      state: 'failed',
      reason: 'deploy staging: web crashed',
      jobs: [],
    },
    {
      name: 'a queued run is cancelled at once',
      events: [{ kind: 'cancel-requested', who: 'ada', at: 1 }],
      state: 'cancelled',
      reason: 'cancelled by ada',
      jobs: [],
    },
    {
      name: 'a running one when its worker has stopped',
      events: [started, { kind: 'cancel-requested', who: 'ada', at: 1 }],
      state: 'running',
      reason: 'cancelled by ada',
      jobs: ['r1.build'],
    },
    {
      name: 'a newer run ends one that has not begun to release',
      events: [started, rendered, { kind: 'overtaken', by: 'r2', at: 3 }],
      state: 'superseded',
      reason: 'superseded by run r2',
      jobs: [],
    },
    {
      name: 'and no other: its release may be made already',
      events: [
        started,
        rendered,
        { kind: 'step', step: 'release staging', state: 'running', at: 3 },
        { kind: 'overtaken', by: 'r2', at: 4 },
      ],
      state: 'running',
      reason: '',
      jobs: ['r1.deploy.staging'],
    },
    {
      name: 'a late report changes nothing',
      events: [started, { kind: 'failed', reason: 'tests failed', at: 2 }, rendered, deployed],
      state: 'failed',
      reason: 'tests failed',
      jobs: [],
    },
  ])('$name', ({ events, state, reason, jobs }) => {
    const result = run(events);
    expect({
      state: result.state,
      reason: result.reason,
      jobs: jobsOf(result).map((job) => job.id),
    }).toEqual({ state, reason, jobs });
  });

  it('ends what was under way as failed and skips the rest', () => {
    const result = run([
      started,
      { kind: 'step', step: 'clone', state: 'running', at: 1 },
      { kind: 'failed', reason: 'x', at: 2 },
    ]);
    expect(result.steps.map((step) => step.state)).toEqual([
      'failed',
      ...Array.from({ length: 8 }, () => 'skipped'),
    ]);
    expect(result.deploys.map((deploy) => deploy.state)).toEqual(['skipped', 'skipped']);
  });

  it('does nothing but one deploy in a rollback', () => {
    const rollback = newRun({
      id: 'r2',
      pipeline: 'hello',
      spec,
      trigger: { ...trigger, kind: 'rollback' },
      at: 0,
      restores: { entry: 'production', release: 'c0' },
    });
    expect(rollback.steps.map((step) => step.name)).toEqual([
      'release production',
      'deploy production',
    ]);
    expect(jobsOf(rollback).map((job) => job.id)).toEqual(['r2.deploy.production']);
  });
});

describe('isSupersededBy', () => {
  it.each<{ name: string; events: RunEvent[]; superseded: boolean }>([
    { name: 'a build under way', events: [started], superseded: true },
    {
      name: 'a rendered run that does not deploy yet',
      events: [started, rendered],
      superseded: true,
    },
    {
      name: 'never one that has begun to deploy',
      events: [started, rendered, released],
      superseded: false,
    },
  ])('$name', ({ events, superseded }) => {
    expect(isSupersededBy(run(events), run([], 'r2', 10))).toBe(superseded);
  });
});

describe('isReleasing', () => {
  const releasing: RunEvent = { kind: 'step', step: 'release staging', state: 'running', at: 3 };
  const failed: RunEvent = { kind: 'failed', reason: 'x', at: 4 };

  it.each<{ name: string; events: RunEvent[]; expected: boolean }>([
    { name: 'a rendered run has not begun', events: [started, rendered], expected: false },
    {
      name: 'one that asked for a release has',
      events: [started, rendered, releasing],
      expected: true,
    },
    {
      name: 'so has one that failed over it',
      events: [started, rendered, releasing, failed],
      expected: true,
    },
    { name: 'one that failed before that never will', events: [started, failed], expected: false },
  ])('$name', ({ events, expected }) => {
    expect(isReleasing(run(events), 'staging')).toBe(expected);
  });
});

const entry = fc.constantFrom('staging', 'production');
const at = fc.nat(1_000);
const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
  fc.record({ kind: fc.constant('started' as const), at }),
  fc.record({
    kind: fc.constant('step' as const),
    step: fc.constantFrom('clone', 'build web', 'render', 'release staging'),
    state: fc.constantFrom('running' as const, 'succeeded' as const, 'failed' as const),
    at,
  }),
  fc.record({ kind: fc.constant('rendered' as const), at }),
  fc.record({ kind: fc.constant('released' as const), entry, release: fc.constant('c1'), at }),
  fc.record({ kind: fc.constant('deployed' as const), entry, at }),
  fc.record({ kind: fc.constant('deploy-failed' as const), entry, reason: fc.constant('x'), at }),
  fc.record({ kind: fc.constant('failed' as const), reason: fc.constant('x'), at }),
  fc.record({ kind: fc.constant('cancel-requested' as const), who: fc.constant('ada'), at }),
  fc.record({ kind: fc.constant('cancelled' as const), at }),
  fc.record({
    kind: fc.constantFrom('superseded' as const, 'overtaken' as const),
    by: fc.constant('r2'),
    at,
  }),
);

describe('any order of events', () => {
  it('never leaves a run without a job and without an end, and a finished run never changes', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        const states = events.reduce<Run[]>(
          (seen, event) => [...seen, transition(seen.at(-1) ?? run([]), event)],
          [run([])],
        );
        const firstEnd = states.findIndex(isFinished);
        const last = states.at(-1) ?? run([]);
        const changedAfterEnd =
          firstEnd !== -1 && states.slice(firstEnd).some((state) => state !== states[firstEnd]);
        expect(changedAfterEnd).toBe(false);
        expect(isFinished(last)).toBe(jobsOf(last).length === 0);
        const isOpen = last.steps.some(({ state }) => state === 'running' || state === 'pending');
        expect(isFinished(last) && isOpen).toBe(false);
      }),
    );
  });
});
