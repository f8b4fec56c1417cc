import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { isMadeFrom } from '#core/docker/made-from.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { LivePod, Step, World } from '#core/docker/world.ts';
import type { Decision } from '#core/docker/world.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Half past a minute. */
const START = Date.parse('2026-11-28T12:00:30Z');
const FIRST = Math.ceil(START / MINUTE);

function cron(spec: object = {}, job: object = {}, image = 'tool:1'): Resource {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tidy' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: {
          backoffLimit: 0,
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] },
          },
          ...job,
        },
      },
      ...spec,
    },
  };
}

const other: Resource = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: {} };

function ask(resources: readonly Resource[], world: World, now: number): Decision {
  return decide([{ owner: 'shop/local', release: 'r1', resources }], world, now, (value) => value);
}

/** Passes at one time until nothing is left to be done then, or so many steps were taken. */
function pass(resources: readonly Resource[], from: World, now: number, most = Infinity): World {
  let world = from;
  let left = most;
  for (let round = 0; round < 20; round += 1) {
    const { steps } = ask(resources, world, now);
    if (steps.length === 0) return world;
    for (const step of steps) {
      if (left === 0) return world;
      left -= 1;
      world = carryOut(world, step, now);
    }
  }
  throw new Error('does not come to rest');
}

/** A pass at each of the minutes. */
function passes(resources: readonly Resource[], from: World, start: number, count: number): World {
  return Array.from({ length: count }, (_, index) => start + index * MINUTE).reduce(
    (world, now) => pass(resources, world, now),
    from,
  );
}

function begun(resources: readonly Resource[] = [cron()]): World {
  return pass(resources, emptyWorld(), START);
}

/** Runs that have pods, by how many minutes after the first they were to start. */
function runs({ pods }: World): number[] {
  return [...new Set(pods.map(runOf))].toSorted((one, another) => one - another);
}

function runOf({ name, labels }: Pick<LivePod, 'name' | 'labels'>): number {
  const job = labels['batch.kubernetes.io/job-name'] ?? '';
  expect(name.startsWith(`${job}-`)).toBe(true);
  return Number(job.replace('tidy-', '')) - FIRST;
}

function isGoing({ containers }: LivePod): boolean {
  return Object.values(containers).some(({ state }) => state === 'running');
}

function end(world: World, exitCode: number, now: number, run?: number): World {
  const pods = world.pods.map((pod): LivePod => {
    if (!isGoing(pod) || (run !== undefined && runOf(pod) !== run)) return pod;
    const containers = Object.entries(pod.containers).map(([key, container]) => [
      key,
      { ...container, state: 'exited', restart: 'Never', exitCode, finishedAt: now },
    ]);
    return { ...pod, containers: Object.fromEntries(containers) as LivePod['containers'] };
  });
  return { ...world, pods };
}

function told(resources: readonly Resource[], world: World, now: number): unknown {
  const { owners } = ask(resources, world, now);
  const status = owners[0]?.resources.find(({ key }) => key === 'CronJob/default/tidy');
  return { serving: owners[0]?.serving, health: status?.health, summary: status?.summary };
}

const AT_FIRST = FIRST * MINUTE;

describe('a CronJob', () => {
  it('starts nothing before its time, and says when that is', () => {
    const world = begun();
    expect(world.pods).toEqual([]);
    expect(ask([cron()], world, START).wakeAt).toBe(AT_FIRST);
    expect(told([cron()], world, START)).toEqual({
      serving: true,
      health: { status: 'Healthy', reason: '' },
      summary: 'next at 2026-11-28T12:01Z',
    });
    expect(pass([cron()], world, AT_FIRST - 1).pods).toEqual([]);
  });

  it('starts a Job at its time, named by the minute, and serves meanwhile', () => {
    const world = pass([cron()], begun(), AT_FIRST);
    expect(world.pods).toMatchObject([{ keeper: 'CronJob/default/tidy' }]);
    expect(world.pods[0]?.labels).toMatchObject({ 'job-name': `tidy-${FIRST}` });
    expect(ask([cron()], world, AT_FIRST).owners[0]?.plan).toEqual([]);
    expect(isMadeFrom(world.pods[0]?.templateHash ?? '', cron(), [])).toBe(true);
    expect(told([cron()], world, AT_FIRST)).toMatchObject({
      serving: true,
      summary: 'next at 2026-11-28T12:02Z, 1 active',
    });
  });

  it('starts none again that has ended, whoever removes its pods and whatever is released', () => {
    const ended = pass([cron()], end(pass([cron()], begun(), AT_FIRST), 0, AT_FIRST), AT_FIRST);
    const released = pass([cron(), other], { ...ended, pods: [] }, AT_FIRST + 1_000);
    expect(released.pods).toEqual([]);
    expect(runs(pass([cron(), other], released, AT_FIRST + MINUTE))).toEqual([1]);
  });

  it('starts no second one wherever it is cut off', () => {
    for (let most = 0; most < 6; most += 1) {
      const cut = pass([cron()], begun(), AT_FIRST, most);
      const world = pass([cron()], cut, AT_FIRST + 5_000);
      expect(world.pods.map(runOf)).toEqual([0]);
    }
  });

  it('starts the last one of those that were missed', () => {
    const world = pass([cron()], begun(), AT_FIRST + 10 * MINUTE);
    expect(runs(world)).toEqual([10]);
    expect(told([cron()], world, AT_FIRST + 10 * MINUTE)).toMatchObject({
      summary: 'next at 2026-11-28T12:12Z, 1 active',
    });
  });

  it.each([
    [99, false],
    [100, true],
  ])('tells of more than 100 that were missed: %i minutes late', (minutes, isTold) => {
    const now = AT_FIRST + minutes * MINUTE;
    const world = pass([cron()], begun(), now);
    expect(runs(world)).toEqual([minutes]);
    const text = JSON.stringify(told([cron()], world, now));
    expect(text.includes('more than 100 starts were missed before the last')).toBe(isTold);
    const next = pass([cron()], world, now + MINUTE);
    expect(JSON.stringify(told([cron()], next, now + MINUTE))).not.toContain('missed');
  });

  it('counts as missed what the deadline still lets start, and starts nothing after it', () => {
    const hourly = cron({ schedule: '0 * * * *', startingDeadlineSeconds: 90 });
    const one = Date.parse('2026-11-28T13:00Z');
    expect(pass([hourly], begun([hourly]), one + 90_000).pods).toHaveLength(1);
    const late = pass([hourly], begun([hourly]), one + 91_000);
    expect(late.pods).toEqual([]);
    expect(told([hourly], late, one + 91_000)).toMatchObject({
      summary: 'next at 2026-11-28T14:00Z, missed the start at 2026-11-28T13:00Z',
    });
    const often = cron({ startingDeadlineSeconds: 600 });
    const now = AT_FIRST + 200 * MINUTE;
    expect(JSON.stringify(told([often], pass([often], begun([often]), now), now))).not.toContain(
      'missed',
    );
  });

  it.each<{ policy: string; second: number[]; third: number[] }>([
    { policy: 'Allow', second: [0, 1], third: [0, 1] },
    { policy: 'Replace', second: [1], third: [1] },
    // What was missed meanwhile is made up for.
    { policy: 'Forbid', second: [0], third: [0, 1] },
  ])('with $policy', ({ policy, second, third }) => {
    const resources = [cron({ concurrencyPolicy: policy })];
    const world = passes(resources, begun(resources), AT_FIRST, 2);
    expect(runs(world)).toEqual(second);
    const later = AT_FIRST + MINUTE + 20_000;
    expect(runs(pass(resources, end(world, 0, later), later))).toEqual(third);
  });

  it('with Forbid makes up for none that is too late', () => {
    const resources = [cron({ concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 10 })];
    const world = passes(resources, begun(resources), AT_FIRST, 2);
    const later = AT_FIRST + MINUTE + 20_000;
    expect(runs(pass(resources, end(world, 0, later), later))).toEqual([0]);
  });

  it('keeps the last of those that have ended, with their pods', () => {
    const resources = [cron({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 })];
    let world = begun(resources);
    for (const [index, exitCode] of [0, 1, 0, 1, 0, 0].entries()) {
      const now = AT_FIRST + index * MINUTE;
      world = pass(resources, world, now);
      world = pass(resources, end(world, exitCode, now), now);
    }
    expect(runs(world)).toEqual([3, 4, 5]);
    const none = [cron({ successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 0 })];
    const now = AT_FIRST + 5 * MINUTE + 1_000;
    expect(pass(none, world, now).pods).toEqual([]);
  });

  it('drops a Job when its time to live is over', () => {
    const resources = [cron({ schedule: '1 * * * *' }, { ttlSecondsAfterFinished: 10 })];
    const world = pass(
      resources,
      end(pass(resources, begun(resources), AT_FIRST), 0, AT_FIRST),
      AT_FIRST,
    );
    expect(ask(resources, world, AT_FIRST).wakeAt).toBe(AT_FIRST + 10_000);
    const after = pass(resources, world, AT_FIRST + 10_000);
    expect(after.pods).toEqual([]);
    expect(after.records[0]?.cron?.runs).toEqual([]);
  });

  it('starts nothing while it is suspended, and what was missed last when it goes on', () => {
    const suspended = [cron({ suspend: true })];
    const world = passes(suspended, begun(suspended), AT_FIRST, 3);
    expect(world.pods).toEqual([]);
    expect(told(suspended, world, AT_FIRST + 2 * MINUTE)).toMatchObject({
      serving: true,
      summary: 'Suspended',
    });
    expect(runs(pass([cron()], world, AT_FIRST + 2 * MINUTE + 1))).toEqual([2]);
  });

  it('ends a Job as it began, whatever is released meanwhile', () => {
    const retrying = { backoffLimit: 3 };
    const old = [cron({ schedule: '1 * * * *' }, retrying)];
    const next = [cron({ schedule: '1 * * * *' }, retrying, 'tool:2')];
    const world = pass(next, pass(old, begun(old), AT_FIRST), AT_FIRST + 1_000);
    const [pod] = world.pods;
    const failed = pass(next, end(world, 1, AT_FIRST + 2_000), AT_FIRST + 2_000);
    const again = pass(next, failed, AT_FIRST + 20_000);
    expect(again.pods.filter(isGoing)).toMatchObject([{ templateHash: pod?.templateHash }]);
    const done = pass(next, end(again, 0, AT_FIRST + 21_000), AT_FIRST + 21_000);
    const hour = pass(next, done, AT_FIRST + HOUR);
    const [newest] = hour.pods.filter(isGoing);
    expect(newest?.templateHash).not.toBe(pod?.templateHash);
    expect(hour.records[0]?.cron?.specs).toBeDefined();
    const limit = [
      cron({ schedule: '1 * * * *', successfulJobsHistoryLimit: 0 }, retrying, 'tool:2'),
    ];
    expect(pass(limit, hour, AT_FIRST + HOUR).records[0]?.cron?.specs).toBeUndefined();
  });

  it('is Degraded once a Job has failed, until one succeeds, and serves all the same', () => {
    const resources = [cron({ failedJobsHistoryLimit: 0 })];
    const failed = pass(
      resources,
      end(pass(resources, begun(resources), AT_FIRST), 3, AT_FIRST),
      AT_FIRST,
    );
    expect(failed.pods).toEqual([]);
    expect(told(resources, failed, AT_FIRST)).toMatchObject({
      serving: true,
      health: {
        status: 'Degraded',
        reason: expect.stringContaining(`Job tidy-${FIRST}: BackoffLimitExceeded`),
      },
    });
    const now = AT_FIRST + MINUTE;
    const well = pass(resources, end(pass(resources, failed, now), 0, now), now);
    expect(told(resources, well, now)).toMatchObject({ health: { status: 'Healthy' } });
  });

  it('keeps to its time zone when clocks change', () => {
    const spring = Date.parse('2026-03-28T12:00Z');
    const daily = [cron({ schedule: '30 8 * * *', timeZone: 'Europe/Berlin' })];
    const world = pass(daily, emptyWorld(), spring);
    expect(ask(daily, world, spring).wakeAt).toBe(Date.parse('2026-03-29T06:30Z'));
    const skipped = [cron({ schedule: '30 2 * * *', timeZone: 'Europe/Berlin' })];
    expect(ask(skipped, pass(skipped, emptyWorld(), spring), spring).wakeAt).toBe(
      Date.parse('2026-03-30T00:30Z'),
    );
  });

  it('goes with its Jobs', () => {
    const world = passes([cron()], begun(), AT_FIRST, 3);
    const gone = pass([], world, AT_FIRST + 3 * MINUTE);
    expect([gone.pods, gone.records]).toEqual([[], []]);
  });

  it('runs the last time once, with Forbid never two at once, wherever it is cut off', () => {
    const Move = fc.oneof(
      fc.record({ minutes: fc.integer({ min: 0, max: 5 }), most: fc.integer({ min: 0, max: 9 }) }),
      fc.record({ exitCode: fc.constantFrom(0, 1), run: fc.nat() }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('Allow' as const, 'Forbid' as const, 'Replace' as const),
        fc.array(Move, { maxLength: 20 }),
        (policy, moves) => {
          const resources = [cron({ concurrencyPolicy: policy })];
          const made = new Map<string, number>();
          let world = begun(resources);
          let now = AT_FIRST;
          let cutOff = 0;
          for (const move of moves) {
            if ('exitCode' in move) {
              const going = world.pods.filter(isGoing);
              const pod = going[move.run % Math.max(1, going.length)];
              if (pod !== undefined) world = end(world, move.exitCode, now, runOf(pod));
              continue;
            }
            now += move.minutes * MINUTE;
            const passed = watched(resources, world, { now, most: move.most, made });
            world = passed.world;
            cutOff = passed.isAtRest ? 0 : cutOff + 1;
            const active = world.pods.filter(isGoing).length;
            // One that is replaced goes once the other is there: so in the next pass where this one was cut off.
            const mostActive = { Allow: Infinity, Forbid: 1, Replace: 1 + cutOff }[policy];
            expect(active).toBeLessThanOrEqual(mostActive);
            const isLastMade = [...made.keys()].some((name) =>
              name.startsWith(`tidy-${now / MINUTE}-`),
            );
            const isToWait = !passed.isAtRest || (policy === 'Forbid' && active === 1);
            expect(isLastMade || isToWait).toBe(true);
          }
          expect([...made.values()].every((count) => count === 1)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  /** Counts how often the pod of a run was made. */
  function watched(
    resources: readonly Resource[],
    from: World,
    { now, most, made }: { now: number; most: number; made: Map<string, number> },
  ): { world: World; isAtRest: boolean } {
    let world = from;
    let left = most;
    for (;;) {
      const { steps } = ask(resources, world, now);
      if (steps.length === 0) return { world, isAtRest: true };
      for (const step of steps) {
        if (left === 0) return { world, isAtRest: false };
        left -= 1;
        count(step, made);
        world = carryOut(world, step, now);
      }
    }
  }

  function count(step: Step, made: Map<string, number>): void {
    if (step.kind !== 'createPod') return;
    made.set(step.pod.name, (made.get(step.pod.name) ?? 0) + 1);
  }
});

describe('manifests of a CronJob', () => {
  function problems(resource: Resource): string {
    const text = JSON.stringify(resource);
    return acceptResources(parseManifests([{ path: 'a.yaml', text }]))
      .map(formatProblem)
      .join('\n');
  }

  it.each([
    [{}, /^$/],
    [{ timeZone: 'Europe/Berlin' }, /^$/],
    [{ schedule: '61 * * * *' }, /spec.schedule: minute 61 must be 0 to 59/],
    [
      { timeZone: 'Europe/Berln' },
      /spec.timeZone: there is no time zone "Europe\/Berln".*Europe\/Berlin\?/,
    ],
    [{ timeZone: '+02:00' }, /spec.timeZone: there is no time zone/],
    [{ concurrencyPolicy: 'Never' }, /spec.concurrencyPolicy/],
    [{ failedJobsHistoryLimit: -1 }, /spec.failedJobsHistoryLimit/],
  ])('%j', (spec, message) => expect(problems(cron(spec))).toMatch(message));

  it('are checked down to the containers', () => {
    const template = {
      spec: {
        restartPolicy: 'Never',
        containers: [
          { name: 'main', image: 'a', envFrom: [{ configMapRef: { name: 'nothing' } }] },
        ],
      },
    };
    expect(problems(cron({}, { template }))).toContain(
      'spec.jobTemplate.spec.template.spec.containers[0].envFrom[0].configMapRef.name: there is no ConfigMap nothing',
    );
    const endless = {
      completionMode: 'Indexed',
      successPolicy: { rules: [{ succeededIndexes: '0-4294967295' }] },
    };
    expect(problems(cron({}, endless))).toContain(
      'spec.jobTemplate.spec.successPolicy.rules[0].succeededIndexes: is beyond completions',
    );
    const always = { spec: { ...template.spec, restartPolicy: 'Always' } };
    expect(problems(cron({}, { template: always }))).toContain('must be OnFailure or Never');
  });

  it('leave room in its name for a time', () => {
    const long = { ...cron(), metadata: { name: 'a'.repeat(53) } };
    expect(problems(long)).toContain('metadata.name');
  });
});
