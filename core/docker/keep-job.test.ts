import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld, running } from '#core/docker/testing/simulator.ts';
import type { LivePod, World } from '#core/docker/world.ts';
import type { OwnerStatus } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';

const SECOND = 1_000;
const START = 1_000_000;

function job(spec: object = {}, image = 'tool:1'): Resource {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'sum' },
    spec: { template, ...spec },
  };
}

const other: Resource = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: {} };

interface Pass {
  world: World;
  status: OwnerStatus | undefined;
  wakeAt: number | undefined;
}

/** Passes at one time until nothing is left to be done then. */
function pass(resources: readonly Resource[], from: World, now: number): Pass {
  let world = from;
  for (let round = 0; round < 20; round += 1) {
    const desired = { owner: 'shop/local', release: 'r1', resources };
    const { steps, owners, wakeAt } = decide([desired], world, now, (value) => value);
    if (steps.length === 0) return { world, status: owners[0], wakeAt };
    for (const step of steps) world = carryOut(world, step, now);
  }
  throw new Error('does not come to rest');
}

/** The pod's containers end, as Docker has it. */
function end(world: World, name: string, exitCode: number, now: number): World {
  const pods = world.pods.map((pod): LivePod => {
    if (pod.name !== name) return pod;
    const containers = Object.entries(pod.containers).map(([key, container]) => [
      key,
      { ...container, state: 'exited', restart: 'Never', exitCode, finishedAt: now },
    ]);
    return { ...pod, containers: Object.fromEntries(containers) as LivePod['containers'] };
  });
  return { ...world, pods };
}

function going({ pods }: World): string[] {
  return pods
    .filter(({ containers }) => Object.values(containers).some(({ state }) => state === 'running'))
    .map(({ name }) => name);
}

function summary({ status }: Pass): string | undefined {
  return status?.resources.find(({ key }) => key.startsWith('Job/'))?.summary;
}

function endAll(world: World, exitCode: number, now: number): World {
  return going(world).reduce((each, name) => end(each, name, exitCode, now), world);
}

describe('a Job', () => {
  it('runs as many pods as parallelism says, until each place had one that succeeded', () => {
    const resources = [job({ completions: 3, parallelism: 2 })];
    const first = pass(resources, emptyWorld(), START);
    expect(going(first.world)).toHaveLength(2);
    expect(first.status).toMatchObject({ serving: false });
    expect(summary(first)).toBe('0 of 3 succeeded, 2 active');
    const second = pass(resources, endAll(first.world, 0, START), START);
    expect(going(second.world)).toHaveLength(1);
    const third = pass(resources, endAll(second.world, 0, START), START);
    expect(third.status).toMatchObject({ serving: true, plan: [] });
    expect(summary(third)).toBe('Complete, 3 of 3 succeeded');
    expect(third.world.pods).toHaveLength(3);
  });

  it('tries again ever later, and has failed after one failure more than backoffLimit', () => {
    const resources = [job({ backoffLimit: 2 })];
    let { world } = pass(resources, emptyWorld(), START);
    let now = START;
    for (const wait of [10, 20]) {
      const failed = pass(resources, endAll(world, 3, now), now);
      expect(going(failed.world)).toEqual([]);
      expect(failed.status?.failure).toBeUndefined();
      expect(failed.wakeAt).toBe(now + wait * SECOND);
      now += wait * SECOND;
      world = pass(resources, failed.world, now).world;
      expect(going(world)).toHaveLength(1);
    }
    const last = pass(resources, endAll(world, 3, now), now);
    expect(last.status?.failure).toMatch(/^Job sum: BackoffLimitExceeded: pod sum-.*exit code 3/);
    expect(going(pass(resources, last.world, now + 3_600 * SECOND).world)).toEqual([]);
  });

  it.each([
    { backoffLimit: 0, restarts: 1, failed: true },
    { backoffLimit: 3, restarts: 2, failed: false },
    { backoffLimit: 3, restarts: 3, failed: true },
  ])(
    'counts restarts with OnFailure: $restarts of $backoffLimit',
    ({ failed, restarts, ...rest }) => {
      const template = {
        spec: { restartPolicy: 'OnFailure', containers: [{ name: 'main', image: 'tool:1' }] },
      };
      const resources = [job({ template, ...rest })];
      const { world } = pass(resources, emptyWorld(), START);
      const pods = world.pods.map((each) => ({
        ...each,
        containers: { main: { ...running(START), restarts } },
      }));
      const { status, world: after } = pass(resources, { ...world, pods }, START + SECOND);
      expect(status?.failure !== undefined).toBe(failed);
      expect(going(after)).toHaveLength(failed ? 0 : 1);
    },
  );

  it('is ended at its deadline', () => {
    const resources = [job({ activeDeadlineSeconds: 60 })];
    const { world, wakeAt } = pass(resources, emptyWorld(), START);
    expect(wakeAt).toBe(START + 60 * SECOND);
    const late = pass(resources, world, START + 60 * SECOND);
    expect(late.status?.failure).toBe(
      'Job sum: DeadlineExceeded: it was active for longer than 60 s',
    );
    expect(late.world.pods).toEqual([]);
  });

  it('runs nothing while it is suspended, and its time begins anew', () => {
    const rules = { activeDeadlineSeconds: 60 };
    const { world } = pass([job(rules)], emptyWorld(), START);
    const suspended = [job({ ...rules, suspend: true })];
    const rest = pass(suspended, world, START + 50 * SECOND);
    expect(rest.world.pods).toEqual([]);
    expect(rest.status).toMatchObject({ serving: true });
    expect(summary(rest)).toBe('Suspended, 0 of 1 succeeded');
    const again = pass([job(rules)], rest.world, START + 500 * SECOND);
    expect(going(again.world)).toHaveLength(1);
    expect(again.wakeAt).toBe(START + 560 * SECOND);
  });

  it.each([
    ['its pods are gone', (world: World): World => ({ ...world, pods: [] })],
    [
      'their containers are gone',
      (world: World): World => ({
        ...world,
        pods: world.pods.map((each) => ({ ...each, containers: {} })),
      }),
    ],
    ['nothing is', (world: World): World => world],
  ])('is not run again by another release, also where %s', (_name, harm) => {
    const resources = [job()];
    const { world } = pass(resources, emptyWorld(), START);
    const done = pass(resources, endAll(world, 0, START), START);
    const harmed = harm(done.world);
    const later = pass([...resources, other], harmed, START + 99 * SECOND);
    expect(later.status).toMatchObject({ serving: true });
    expect(going(later.world)).toEqual([]);
  });

  it('lets its pods go after ttlSecondsAfterFinished, and is still complete', () => {
    const resources = [job({ ttlSecondsAfterFinished: 30 })];
    const { world } = pass(resources, emptyWorld(), START);
    const done = pass(resources, endAll(world, 0, START), START);
    expect(done.world.pods).toHaveLength(1);
    expect(done.wakeAt).toBe(START + 30 * SECOND);
    const later = pass(resources, done.world, START + 30 * SECOND);
    expect(later.world.pods).toEqual([]);
    expect(later.status).toMatchObject({ serving: true, plan: [] });
  });

  it('is replaced where its template changed, once the pods before are gone', () => {
    const { world } = pass([job()], emptyWorld(), START);
    const done = pass([job()], endAll(world, 0, START), START);
    const changed = { owner: 'shop/local', release: 'r2', resources: [job({}, 'tool:2')] };
    const { owners, steps } = decide([changed], done.world, START, (value) => value);
    expect(owners[0]?.plan).toMatchObject([{ action: 'replace', key: 'Job/default/sum' }]);
    expect(steps.map(({ kind }) => kind)).not.toContain('createPod');
    const again = pass(changed.resources, done.world, START);
    expect(going(again.world)).toHaveLength(1);
    expect(again.world.pods).toHaveLength(1);
  });

  it('changes what it may without a new run', () => {
    const { world } = pass([job({ backoffLimit: 1 })], emptyWorld(), START);
    const [before] = world.pods;
    const { world: after } = pass([job({ backoffLimit: 9 })], world, START);
    expect(after.pods.map(({ name, createdAt }) => [name, createdAt])).toEqual([
      [before?.name, before?.createdAt],
    ]);
  });

  it('never runs a place again that succeeded, nor more pods at once than it may, however pods end', () => {
    const ends = fc.array(fc.record({ which: fc.nat(3), exitCode: fc.constantFrom(0, 0, 1) }), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(4),
        ends,
        fc.boolean(),
        (completions, parallelism, backoffLimit, events, indexed) => {
          const completionMode = indexed ? 'Indexed' : 'NonIndexed';
          const resources = [job({ completions, parallelism, backoffLimit, completionMode })];
          let now = START;
          let reached = pass(resources, emptyWorld(), now);
          const succeeded = new Set<string>();
          let failed = 0;
          for (const { which, exitCode } of events) {
            const active = going(reached.world);
            expect(active.length).toBeLessThanOrEqual(parallelism);
            const name = active[which % Math.max(1, active.length)];
            if (name === undefined) break;
            const place = name.split('-')[2] ?? '';
            expect(succeeded.has(place)).toBe(false);
            if (exitCode === 0) succeeded.add(place);
            else failed += 1;
            now += 400 * SECOND;
            reached = pass(resources, end(reached.world, name, exitCode, now), now);
            now += 400 * SECOND;
            reached = pass(resources, reached.world, now);
          }
          const isFailed = failed > backoffLimit;
          expect(reached.status?.failure !== undefined).toBe(isFailed);
          expect(reached.status?.serving).toBe(!isFailed && succeeded.size === completions);
        },
      ),
      { numRuns: 25 },
    );
  });
});
