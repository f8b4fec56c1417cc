import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld, running } from '#core/docker/testing/simulator.ts';
import type { LivePod, World } from '#core/docker/world.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
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

  describe('with a limit for each index', () => {
    const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
    const resources = [job({ ...indexed, backoffLimitPerIndex: 1 })];

    /** Each index ends so, at its own back-off, until nothing goes on any more. */
    function play(wanted: Resource[], exitCodes: readonly number[][]): Pass {
      let now = START;
      let reached = pass(wanted, emptyWorld(), now);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        let { world } = reached;
        for (const name of going(world)) {
          const [, , place = '', tried = '0'] = name.split('-');
          world = end(world, name, exitCodes[Number(place)]?.[Number(tried)] ?? 0, now);
        }
        reached = pass(wanted, world, now);
        now += 400 * SECOND;
        reached = pass(wanted, reached.world, now);
      }
      return reached;
    }

    it('tries each as often, and has failed once all have ended of which some failed', () => {
      const reached = play(resources, [[0], [1, 1], [1, 0]]);
      expect(reached.status?.failure).toMatch(/^Job sum: FailedIndexes: index 1 failed; pod sum-/);
      expect(summary(reached)).toBe('FailedIndexes, 2 of 3 succeeded, 3 failed');
    });

    it('waits with each index by itself', () => {
      const first = pass(resources, emptyWorld(), START);
      const [one = '', two = ''] = going(first.world);
      const failed = pass(resources, end(first.world, one, 1, START), START);
      expect(failed.wakeAt).toBe(START + 10 * SECOND);
      const later = START + 9 * SECOND;
      const both = pass(resources, end(failed.world, two, 1, later), later);
      expect(going(both.world)).toHaveLength(1);
      const again = pass(resources, both.world, START + 10 * SECOND);
      expect(going(again.world)).toHaveLength(2);
      expect(again.wakeAt).toBe(later + 10 * SECOND);
    });

    it('ends where more have failed than maxFailedIndexes', () => {
      const wanted = [job({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 1 })];
      const { world } = pass(wanted, emptyWorld(), START);
      const [one = '', two = ''] = going(world);
      const first = pass(wanted, end(world, one, 1, START), START);
      expect(first.status?.failure).toBeUndefined();
      const second = pass(wanted, end(first.world, two, 1, START), START);
      expect(second.status?.failure).toMatch(
        /^Job sum: MaxFailedIndexesExceeded: indexes 0, 1 failed/,
      );
      expect(going(second.world)).toEqual([]);
    });

    it('gives an index up where the policy says so', () => {
      const rules = [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } }];
      const wanted = [job({ ...indexed, backoffLimitPerIndex: 4, podFailurePolicy: { rules } })];
      const reached = play(wanted, [[7], [1, 0], [0]]);
      expect(reached.status?.failure).toContain('FailedIndexes: index 0 failed');
      expect(summary(reached)).toBe('FailedIndexes, 2 of 3 succeeded, 2 failed');
    });
  });

  it.each([
    { action: 'FailJob', failed: true },
    { action: 'Ignore', failed: false },
    { action: 'Count', failed: true },
  ])('has failed by a policy of $action: $failed', ({ action, failed }) => {
    const rules = [{ action, onExitCodes: { operator: 'In', values: [7] } }];
    const limit = action === 'FailJob' ? 6 : 0;
    const resources = [job({ backoffLimit: limit, podFailurePolicy: { rules } })];
    const { world } = pass(resources, emptyWorld(), START);
    const after = pass(resources, endAll(world, 7, START), START);
    expect(after.status?.failure !== undefined).toBe(failed);
    const later = pass(resources, after.world, START + 400 * SECOND);
    expect(going(later.world)).toHaveLength(failed ? 0 : 1);
  });

  it('tells by which rule of a policy it has failed', () => {
    const rules = [{ action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [1] } }];
    const resources = [job({ podFailurePolicy: { rules } })];
    const { world } = pass(resources, emptyWorld(), START);
    const { status } = pass(resources, endAll(world, 7, START), START);
    expect(status?.failure).toMatch(
      /^Job sum: PodFailurePolicy: container main of pod sum-\S+-0 failed with exit code 7 matching FailJob rule at index 0$/,
    );
  });

  it('is complete once its success policy is met, and ends the rest', () => {
    const resources = [
      job({
        completionMode: 'Indexed',
        completions: 3,
        parallelism: 3,
        successPolicy: { rules: [{ succeededIndexes: '1' }] },
      }),
    ];
    const { world } = pass(resources, emptyWorld(), START);
    const second = going(world).find((name) => name.endsWith('-1')) ?? '';
    const done = pass(resources, end(world, second, 0, START), START);
    expect(done.status).toMatchObject({ serving: true });
    expect(summary(done)).toBe('Complete, 1 of 3 succeeded');
    expect(done.world.pods.map(({ name }) => name)).toEqual([second]);
  });

  it.each([
    { podReplacementPolicy: 'Failed', made: [] },
    { podReplacementPolicy: 'TerminatingOrFailed', made: ['-1'] },
  ])('fills the place of a pod that is leaving with $podReplacementPolicy', ({ made, ...rest }) => {
    const resources = [job(rest)];
    const { world } = pass(resources, emptyWorld(), START);
    const evicted = world.pods.map((each) => ({ ...each, evicted: 'too much' }));
    const now = START + SECOND;
    const seen = decide(
      [{ owner: 'shop/local', release: 'r1', resources }],
      { ...world, pods: evicted },
      now,
      (value) => value,
    );
    const record = seen.steps.find(({ kind }) => kind === 'record');
    if (record === undefined) throw new Error('nothing is recorded');
    const leaving = world.pods.map((each) => ({ ...each, deletingSince: now }));
    const later = now + 400 * SECOND;
    const { steps } = decide(
      [{ owner: 'shop/local', release: 'r1', resources }],
      carryOut({ ...world, pods: leaving }, record, now),
      later,
      (value) => value,
    );
    const names = steps.flatMap((step) => (step.kind === 'createPod' ? [step.pod.name] : []));
    expect(names.map((name) => name.slice(-2))).toEqual(made);
  });

  it.each([
    [{ backoffLimitPerIndex: 1 }, /backoffLimitPerIndex: needs completionMode: Indexed/],
    [{ maxFailedIndexes: 1 }, /maxFailedIndexes: needs backoffLimitPerIndex/],
    [
      { completionMode: 'Indexed', backoffLimitPerIndex: 1, maxFailedIndexes: 2 },
      /maxFailedIndexes: is more than completions/,
    ],
    [{ successPolicy: { rules: [{ succeededCount: 1 }] } }, /successPolicy: needs completionMode/],
    [
      { completionMode: 'Indexed', successPolicy: { rules: [{ succeededIndexes: '1' }] } },
      /succeededIndexes: is beyond completions/,
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 4,
        successPolicy: { rules: [{ succeededIndexes: '2,1' }] },
      },
      /succeededIndexes: must ascend/,
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 4,
        successPolicy: { rules: [{ succeededIndexes: '1', succeededCount: 2 }] },
      },
      /succeededCount: is more than there are/,
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 4,
        successPolicy: {
          rules: ['3-2', '1,1', '0-2,2'].map((succeededIndexes) => ({ succeededIndexes })),
        },
      },
      /\[0\].succeededIndexes: must ascend.*\[1\].succeededIndexes: must.*\[2\].succeededIndexes: must/,
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 4,
        successPolicy: { rules: [{ succeededIndexes: '1,2-4294967295' }] },
      },
      /succeededIndexes: is beyond completions/,
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 0,
        successPolicy: { rules: [{ succeededCount: 1 }] },
      },
      /^[^,]*succeededCount: is more than there are$/,
    ],
    [{ successPolicy: { rules: [{}] } }, /must have succeededIndexes or succeededCount/],
    [{ podFailurePolicy: { rules: [{ action: 'Ignore' }] } }, /must have one of onExitCodes and/],
    [
      { podFailurePolicy: { rules: [failing('FailIndex', [1])] } },
      /action: FailIndex needs backoffLimitPerIndex/,
    ],
    [{ podFailurePolicy: { rules: [failing('FailJob', [0])] } }, /values: must not have 0/],
    [{ podFailurePolicy: { rules: [failing('FailJob', [2, 1])] } }, /values: must ascend/],
    [
      { podFailurePolicy: { rules: [failing('FailJob', [1], 'other')] } },
      /there is no container other in this pod/,
    ],
    [
      {
        podFailurePolicy: { rules: [failing('FailJob', [1])] },
        podReplacementPolicy: 'TerminatingOrFailed',
      },
      /podReplacementPolicy: must be Failed beside podFailurePolicy/,
    ],
    [
      {
        podFailurePolicy: {
          rules: [{ action: 'Ignore', onPodConditions: [{ type: 'ConfigIssue' }] }],
        },
      },
      /must be DisruptionTarget/,
    ],
  ])('is refused: %j', (spec, message) => {
    const text = JSON.stringify(job(spec));
    const problems = acceptResources(parseManifests([{ path: 'a.yaml', text }]));
    expect(problems.map(formatProblem).join()).toMatch(message);
  });

  function failing(action: string, values: number[], containerName?: string): object {
    return { action, onExitCodes: { operator: 'In', values, containerName } };
  }

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
