import { describe, expect, it } from 'vitest';
import { hookRunsOf } from '#core/kubernetes/hook-annotations.ts';
import type { HookRun } from '#core/kubernetes/hook-annotations.ts';
import type { HookRecord } from '#core/kubernetes/hook-record.ts';
import { decideHooks } from '#core/kubernetes/hooks.ts';
import type { HookDecision, HooksView, HookTarget } from '#core/kubernetes/hooks.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import type { Resource } from '#core/resources/resource.ts';

function job(annotations: Record<string, string>, spec: object = {}): Resource {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'migrate', namespace: 'shop', annotations },
    spec,
  };
}

describe('what runs for a release', () => {
  it.each<[string, Record<string, string>, Partial<HookRun>[] | undefined]>([
    ['nothing', {}, undefined],
    [
      'ours',
      { 'windlass.dev/hook': 'before, after', 'windlass.dev/hook-delete': 'succeeded' },
      [
        { phase: 'before', on: 'both', deletion: ['succeeded'] },
        { phase: 'after', on: 'both', deletion: ['succeeded'] },
      ],
    ],
    [
      'ours before all others',
      { 'helm.sh/hook': 'pre-install', 'windlass.dev/hook': 'failure' },
      [{ phase: 'failure', on: 'both' }],
    ],
    [
      "Argo CD's",
      {
        'argocd.argoproj.io/hook': 'PreSync,Sync',
        'argocd.argoproj.io/hook-delete-policy': 'BeforeHookCreation,HookFailed',
      },
      [
        { phase: 'before', on: 'both', deletion: ['before-creation', 'failed'] },
        { phase: 'sync', on: 'both', deletion: ['before-creation', 'failed'] },
      ],
    ],
    [
      "Helm's",
      {
        'helm.sh/hook': 'pre-install,pre-upgrade,pre-rollback,post-upgrade',
        'helm.sh/hook-delete-policy': 'hook-succeeded',
      },
      [
        { phase: 'before', on: 'both', deletion: ['succeeded'] },
        { phase: 'after', on: 'upgrade', deletion: ['succeeded'] },
      ],
    ],
    ["Helm's for a time that does not come", { 'helm.sh/hook': 'pre-delete' }, []],
  ])('%s', (_name, annotations, expected) => {
    expect(hookRunsOf(job(annotations))).toEqual(
      expected?.map((each) => expect.objectContaining(each)),
    );
  });

  it.each([
    [
      { 'windlass.dev/hook': 'pre' },
      'windlass.dev/hook: pre is not taken, only before, sync, after, failure',
    ],
    [{ 'argocd.argoproj.io/hook': 'Skip' }, 'argocd.argoproj.io/hook: Skip is not taken'],
    [
      { 'windlass.dev/hook': 'before', 'windlass.dev/hook-delete': 'always' },
      'windlass.dev/hook-delete: always is not taken, only before-creation, succeeded, failed',
    ],
  ])('is told where its words are not known: %j', (annotations, told) => {
    expect(() => hookRunsOf(job(annotations))).toThrow(told);
  });
});

const HEALTHY: Seen = { health: { status: 'Healthy', reason: '' }, summary: '' };
const RUNNING: Seen = { health: { status: 'Progressing', reason: 'runs' }, summary: '' };
const FAILED: Seen = {
  health: { status: 'Degraded', reason: 'exit code 1' },
  summary: '',
  isFinal: true,
};

function hook(name: string, run: Partial<HookRun> = {}, wave = 0, spec: object = {}): HookTarget {
  const resource = { ...job({}, spec), metadata: { name, namespace: 'shop' } };
  return {
    key: `Job/shop/${name}`,
    id: `batch/Job/shop/${name}`,
    ref: { group: 'batch', kind: 'Job', namespace: 'shop', name },
    owner: 'shop/prod',
    kind: undefined,
    resource,
    hash: `r2 ${name}`,
    wave,
    rank: 0,
    asked: { adopt: false, replace: false, force: false, ignorePaths: [], ignoreManagers: [] },
    hook: { phase: 'before', on: 'both', deletion: [], ...run },
  };
}

/** How far everything else is. */
const THROUGH = { applying: Infinity, settling: Infinity };
const APPLYING = { applying: 0, settling: 0 };

/** A cluster in which hooks are made, end as `ends` says, and go. */
function world(hooks: HookTarget[], ends: Record<string, Seen> = {}) {
  const live = new Map<string, { uid: string; applied: string; isGoing: boolean }>();
  const view = { entries: {}, record: undefined as HookRecord | undefined, release: 'r2' };
  const done: string[] = [];
  function decide(sync: Partial<HooksView['sync']> = {}): HookDecision {
    return decideHooks({
      ...view,
      hooks,
      live: (id) => live.get(id),
      seen: ({ ref }) => ends[ref.name] ?? RUNNING,
      sync: { ...THROUGH, ...sync },
    });
  }
  function step(sync: Partial<HooksView['sync']> = {}): HookDecision {
    const decision = decide(sync);
    view.record = decision.record;
    for (const { id, uid } of decision.remove) {
      done.push(`remove ${uid}`);
      live.delete(id);
    }
    for (const { id, hash, ref } of decision.make) {
      done.push(`make ${ref.name}`);
      live.set(id, { uid: `${ref.name} of r2`, applied: hash, isGoing: false });
    }
    return decision;
  }
  return { live, view, done, ends, step };
}

describe('decideHooks', () => {
  it('makes those before in their waves, then lets everything else be applied, then those after', () => {
    const hooks = [hook('two', {}, 2), hook('one', {}, -1), hook('check', { phase: 'after' })];
    const { step, done, ends } = world(hooks);
    expect(step({ applying: -Infinity, settling: -Infinity }).stage).toBe('foundations');
    expect(done).toEqual([]);
    const applying = APPLYING;
    expect(step(applying).stage).toBe('before');
    expect(done).toEqual(['make one']);
    step(applying);
    expect(done).toEqual(['make one']);
    ends['one'] = HEALTHY;
    step(applying);
    expect(done).toEqual(['make one', 'make two']);
    ends['two'] = HEALTHY;
    expect(step(applying).stage).toBe('sync');
    expect(done).toHaveLength(2);
    expect(step().stage).toBe('after');
    ends['check'] = HEALTHY;
    expect(step()).toMatchObject({ stage: 'done', pending: [], make: [] });
    expect(done).toEqual(['make one', 'make two', 'make check']);
  });

  it('makes those beside once their wave is applied, and holds what comes after it until they have ended', () => {
    const hooks = [
      hook('check', { phase: 'after' }),
      hook('beside', { phase: 'sync' }),
      hook('late', { phase: 'sync' }, 1),
    ];
    const { step, done, ends } = world(hooks);
    expect(step({ applying: -Infinity, settling: -Infinity })).toMatchObject({
      stage: 'sync',
      upTo: 0,
    });
    step(APPLYING);
    step({ applying: 1, settling: -1 });
    expect(done).toEqual([]);
    step({ applying: 1, settling: 0 });
    expect(done).toEqual(['make beside']);
    expect(step({ applying: 1, settling: 1 })).toMatchObject({ stage: 'sync', upTo: 0 });
    ends['beside'] = HEALTHY;
    expect(step({ applying: 1, settling: 1 })).toMatchObject({ stage: 'sync', upTo: 1 });
    expect(done).toEqual(['make beside']);
    expect(step()).toMatchObject({ stage: 'sync' });
    ends['late'] = HEALTHY;
    expect(step()).toMatchObject({ stage: 'after', upTo: Infinity });
    expect(done).toEqual(['make beside', 'make late', 'make check']);
  });

  it('applies nothing more after one beside that failed', () => {
    const hooks = [hook('beside', { phase: 'sync' }), hook('tell', { phase: 'failure' })];
    const { step, done, ends } = world(hooks);
    step({ applying: 1, settling: 0 });
    ends['beside'] = FAILED;
    const failing = step({ applying: 1, settling: 0 });
    expect(failing).toMatchObject({ stage: 'failed', isFailing: true });
    expect(failing.failure).toContain('shop/beside (hook, sync): exit code 1');
    expect(done).toEqual(['make beside', 'make tell']);
  });

  it('runs none twice, whoever deletes what it left', () => {
    const { step, live, done, ends } = world([hook('one')]);
    step();
    ends['one'] = HEALTHY;
    step();
    live.clear();
    expect(step().stage).toBe('done');
    expect(done).toEqual(['make one']);
  });

  it('goes on after a crash between making one and noting it', () => {
    const { step, live, done } = world([hook('one')]);
    live.set('batch/Job/shop/one', { uid: 'u', applied: 'r2 one', isGoing: false });
    expect(step()).toMatchObject({ stage: 'before', make: [], remove: [] });
    expect(done).toEqual([]);
  });

  it('deletes what an earlier release left, and makes its own when that is gone', () => {
    const { step, live, done } = world([hook('one')]);
    live.set('batch/Job/shop/one', { uid: 'old', applied: 'r1 one', isGoing: false });
    expect(step().make).toEqual([]);
    step();
    expect(done).toEqual(['remove old', 'make one']);
  });

  it.each([
    ['succeeded', HEALTHY, true],
    ['succeeded', FAILED, false],
    ['failed', FAILED, true],
    ['before-creation', HEALTHY, false],
  ] as const)('deletes by %s when it has ended', (policy, end, isDeleted) => {
    const { step, done, ends } = world([hook('one', { deletion: [policy] })]);
    step();
    ends['one'] = end;
    step();
    expect(done.includes('remove one of r2')).toBe(isDeleted);
  });

  it('applies nothing after one that failed, and tells it once what is for a failure has ended', () => {
    const { step, done, ends } = world([hook('one'), hook('tell', { phase: 'failure' })]);
    step(APPLYING);
    ends['one'] = FAILED;
    const failing = step(APPLYING);
    expect(failing).toMatchObject({ stage: 'failed', isFailing: true });
    expect(failing.failure).toContain('exit code 1');
    expect(done).toEqual(['make one', 'make tell']);
    ends['tell'] = HEALTHY;
    expect(step(APPLYING)).toMatchObject({ stage: 'failed', isFailing: false });
  });

  it('runs what is for a failure when everything else fails, and those after not', () => {
    const hooks = [hook('check', { phase: 'after' }), hook('tell', { phase: 'failure' })];
    const { step, done } = world(hooks);
    step({ ...APPLYING, failure: 'Deployment shop/web: too late' });
    expect(done).toEqual(['make tell']);
  });

  it('runs nothing for a failure of what was there before, while one before runs', () => {
    const { step, done } = world([hook('one'), hook('tell', { phase: 'failure' })]);
    const failing = { ...APPLYING, failure: 'Deployment shop/web: too late' };
    step(failing);
    expect(step(failing)).toMatchObject({ stage: 'before', isFailing: false });
    expect(step(failing)).not.toHaveProperty('failure');
    expect(done).toEqual(['make one']);
  });

  it('runs nothing for what fails once the release has served', () => {
    const { step, view, done } = world([hook('tell', { phase: 'failure' })]);
    expect(step(APPLYING).record).not.toHaveProperty('done');
    expect(step()).toMatchObject({ stage: 'done', record: { done: true } });
    const failing = { ...APPLYING, failure: 'Deployment shop/web: crashes' };
    expect(step(failing)).toMatchObject({ stage: 'sync', isFailing: false });
    expect(step(failing)).not.toHaveProperty('failure');
    expect(done).toEqual([]);
    view.release = 'r3';
    step(failing);
    expect(done).toEqual(['make tell']);
  });

  it('waits for what goes already', () => {
    const { step, live, done } = world([hook('one')]);
    live.set('batch/Job/shop/one', { uid: 'old', applied: 'r1 one', isGoing: true });
    expect(step()).toMatchObject({ make: [], remove: [] });
    live.clear();
    step();
    expect(done).toEqual(['make one']);
  });

  it('has failed when one was deleted before its end was seen, but for one that deletes itself', () => {
    const hooks = [hook('one'), hook('two', {}, 0, { ttlSecondsAfterFinished: 0 })];
    const { step, live } = world(hooks);
    step();
    step();
    live.clear();
    const { failure, record } = step();
    expect(failure).toMatch(/shop\/one .*was deleted before its end was seen/);
    expect(record?.runs['before batch/Job/shop/two']).toEqual({ state: 'succeeded' });
  });

  it.each([
    ['the first', {}, 'make first'],
    ['a later', { 'apps/Deployment/shop/web': {} }, 'make later'],
  ])('runs those for %s release only, also when that goes on', (_name, entries, made) => {
    const hooks = [hook('first', { on: 'install' }), hook('later', { on: 'upgrade' })];
    const { step, view, done } = world(hooks);
    view.entries = entries;
    step();
    view.entries = { 'apps/Deployment/shop/web': {} };
    step();
    expect(done).toEqual([made]);
  });

  it('begins anew with another release', () => {
    const { step, view, done, ends } = world([hook('one')], { one: HEALTHY });
    step();
    expect(step().stage).toBe('done');
    view.release = 'r3';
    expect(step().record?.release).toBe('r3');
    expect(ends['one']).toBe(HEALTHY);
    expect(done).toEqual(['make one']);
  });

  it('keeps no record of an owner that has none', () => {
    expect(world([]).step()).toMatchObject({ stage: 'done', record: undefined, entries: {} });
  });
});
