import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { decide } from '#core/docker/decide.ts';
import { carryOut, emptyWorld } from '#core/docker/testing/simulator.ts';
import type { LivePod, Step, World } from '#core/docker/world.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

const DATA = {
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

function set(spec: object = {}, image = 'db:1'): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { containers: [{ name: 'main', image }] },
      },
      ...spec,
    },
  };
}

function rolling(rollingUpdate: object): object {
  return { updateStrategy: { rollingUpdate } };
}

interface Passed {
  world: World;
  status: OwnerStatus | undefined;
  /** What was done to pods and volumes, in order. */
  done: string[];
}

/** Passes until nothing is left to be done, each thing at a time of its own. */
function pass(
  resources: readonly Resource[],
  from: World,
  { isBroken = () => false, owner = 'shop/local' }: Partial<Passing> = {},
): Passed {
  let world = from;
  const begin = after(from);
  const done: string[] = [];
  for (let round = 0; round < 60; round += 1) {
    const now = begin + round * 1_000;
    const desired = { owner, release: 'r1', resources };
    const { steps, owners } = decide([desired], world, now, (value) => value);
    if (steps.length === 0) return { world, status: owners[0], done };
    for (const step of steps) {
      world = broken(carryOut(world, step, now), isBroken);
      done.push(...told(step));
    }
  }
  throw new Error('does not come to rest');
}

/** A time when all that is there has been there. */
function after({ pods, records }: World): number {
  const times = [
    ...pods.map(({ createdAt }) => createdAt),
    ...records.map((each) => each.recordedAt),
  ];
  return Math.max(1_000_000, ...times) + 1_000;
}

interface Passing {
  isBroken: (pod: LivePod) => boolean;
  owner: string;
}

/** What of it never gets ready. */
function broken(world: World, isBroken: Passing['isBroken']): World {
  const failing = { main: { readiness: { ok: false, since: 0, answer: 'HTTP 500' } } };
  const pods = world.pods.map((pod) => (isBroken(pod) ? { ...pod, probes: failing } : pod));
  return { ...world, pods };
}

function told(step: Step): string[] {
  if (step.kind === 'createPod') return [`+${step.pod.name}`];
  if (step.kind === 'deletePod') return [`-${step.name}`];
  if (step.kind === 'createClaim') return [`claim ${step.name}`];
  return step.kind === 'deleteClaim' ? [`drop ${step.name}`] : [];
}

function without(world: World, name: string): World {
  return { ...world, pods: world.pods.filter((pod) => pod.name !== name) };
}

function images(resources: Resource[], world: World): string[] {
  const desired = { owner: 'shop/local', release: 'r1', resources };
  const { owners } = decide([desired], world, 2_000_000, (value) => value);
  const pods = owners[0]?.resources.flatMap((each) => each.pods ?? []) ?? [];
  return pods.map(({ name, containers }) => `${name} ${containers[0]?.image}`).toSorted();
}

function claimNames({ claims }: World): string[] {
  return claims.map(({ name }) => name).toSorted();
}

const THREE = pass([set()], emptyWorld()).world;

describe('a StatefulSet', () => {
  it.each<{ name: string; spec: object; broken?: string; done: string[]; serving: boolean }>([
    { name: 'makes its pods in order', spec: {}, done: ['+db-0', '+db-1', '+db-2'], serving: true },
    {
      name: 'waits for the one before',
      spec: {},
      broken: 'db-1',
      done: ['+db-0', '+db-1'],
      serving: false,
    },
    {
      name: 'waits for none with Parallel',
      spec: { podManagementPolicy: 'Parallel' },
      broken: 'db-0',
      done: ['+db-0', '+db-1', '+db-2'],
      serving: false,
    },
    {
      name: 'counts from its first ordinal',
      spec: { replicas: 2, ordinals: { start: 5 } },
      done: ['+db-5', '+db-6'],
      serving: true,
    },
  ])('$name', ({ spec, broken: bad, done, serving }) => {
    const passed = pass([set(spec)], emptyWorld(), { isBroken: ({ name }) => name === bad });
    expect(passed.done).toEqual(done);
    expect(passed.status?.serving).toBe(serving);
  });

  it('tells a pod its name, ordinal and subdomain', () => {
    const { world } = pass([set({ replicas: 1, serviceName: 'dbs' })], emptyWorld());
    expect(world.pods[0]).toMatchObject({
      published: 'db-0.dbs',
      labels: {
        app: 'db',
        'statefulset.kubernetes.io/pod-name': 'db-0',
        'apps.kubernetes.io/pod-index': '0',
      },
    });
  });

  it.each<{ name: string; spec: object; done: string[] }>([
    { name: 'the highest first', spec: { replicas: 1 }, done: ['-db-2', '-db-1'] },
    {
      name: 'those before the first too, last',
      spec: { replicas: 1, ordinals: { start: 2 } },
      done: ['-db-1', '-db-0'],
    },
    { name: 'all of them', spec: { replicas: 0 }, done: ['-db-2', '-db-1', '-db-0'] },
  ])('scales down $name', ({ spec, done }) => {
    const passed = pass([set(spec)], THREE);
    expect(passed.done).toEqual(done);
    expect(passed.status?.serving).toBe(true);
  });

  it('scales down one at a time, and all at once with Parallel', () => {
    function firstRemoved(spec: object): number {
      const { world } = pass([set(spec)], emptyWorld());
      const desired = {
        owner: 'shop/local',
        release: 'r2',
        resources: [set({ ...spec, replicas: 1 })],
      };
      const { steps } = decide([desired], world, 2_000_000, (value) => value);
      return steps.filter(({ kind }) => kind === 'deletePod').length;
    }
    expect(firstRemoved({})).toBe(1);
    expect(firstRemoved({ podManagementPolicy: 'Parallel' })).toBe(2);
  });

  it('waits for a pod that is leaving before it makes another of its name', () => {
    const pods = THREE.pods.map((pod) =>
      pod.name === 'db-1' ? { ...pod, deletingSince: 5 } : pod,
    );
    const { done, status } = pass([set()], { ...THREE, pods });
    expect(done).toEqual([]);
    expect(status?.serving).toBe(false);
  });

  it.each<{ name: string; spec: object; done: string[]; images: string[] }>([
    {
      name: 'from the highest to the lowest',
      spec: {},
      done: ['-db-2', '+db-2', '-db-1', '+db-1', '-db-0', '+db-0'],
      images: ['db-0 db:2', 'db-1 db:2', 'db-2 db:2'],
    },
    {
      name: 'so many at once as maxUnavailable says, rounded up',
      spec: rolling({ maxUnavailable: '40%' }),
      done: ['-db-2', '-db-1', '+db-1', '+db-2', '-db-0', '+db-0'],
      images: ['db-0 db:2', 'db-1 db:2', 'db-2 db:2'],
    },
    {
      name: 'to the partition',
      spec: rolling({ partition: 2 }),
      done: ['-db-2', '+db-2'],
      images: ['db-0 db:1', 'db-1 db:1', 'db-2 db:2'],
    },
    {
      name: 'in no other order with Parallel',
      spec: { podManagementPolicy: 'Parallel' },
      done: ['-db-2', '+db-2', '-db-1', '+db-1', '-db-0', '+db-0'],
      images: ['db-0 db:2', 'db-1 db:2', 'db-2 db:2'],
    },
  ])('is updated $name', ({ spec, done, images: expected }) => {
    const { world } = pass([set(spec)], emptyWorld());
    const passed = pass([set(spec, 'db:2')], world);
    expect(passed.done).toEqual(done);
    expect(passed.status).toMatchObject({ serving: true, plan: [] });
    expect(images([set(spec, 'db:2')], passed.world)).toEqual(expected);
  });

  it('leaves pods to be removed by hand with OnDelete', () => {
    const spec = { updateStrategy: { type: 'OnDelete' } };
    const { world } = pass([set(spec)], emptyWorld());
    const left = pass([set(spec, 'db:2')], world);
    expect(left.done).toEqual([]);
    expect(left.status?.serving).toBe(true);
    const made = pass([set(spec, 'db:2')], without(left.world, 'db-1'));
    expect(made.done).toEqual(['+db-1']);
    expect(images([set(spec, 'db:2')], made.world)).toEqual(['db-0 ', 'db-1 db:2', 'db-2 ']);
  });

  it('makes a pod below the partition again as it was, and of the template before for as long', () => {
    const spec = rolling({ partition: 2 });
    const second = pass([set(spec, 'db:2')], THREE);
    const third = pass([set(spec, 'db:3')], second.world);
    expect(third.done).toEqual(['-db-2', '+db-2']);
    const again = pass([set(spec, 'db:3')], without(third.world, 'db-0'));
    expect(again.done).toEqual(['+db-0']);
    const made = images([set(spec, 'db:3')], again.world);
    expect(made).toEqual(['db-0 db:1', 'db-1 db:1', 'db-2 db:3']);
    const whole = pass([set({}, 'db:3')], again.world);
    expect(whole.done).toEqual(['-db-1', '+db-1', '-db-0', '+db-0']);
    expect(whole.world.records[0]).not.toHaveProperty('set');
    const next = pass([set(spec, 'db:4')], whole.world);
    expect(
      images([set(spec, 'db:4')], pass([set(spec, 'db:4')], without(next.world, 'db-1')).world),
    ).toEqual(['db-0 db:3', 'db-1 db:3', 'db-2 db:4']);
  });

  it('stops an update at a pod that does not get ready, and takes it back', () => {
    function isBroken({ name, templateHash }: LivePod): boolean {
      return name === 'db-2' && templateHash !== THREE.pods[0]?.templateHash;
    }
    const stuck = pass([set({}, 'db:2')], THREE, { isBroken });
    expect(stuck.done).toEqual(['-db-2', '+db-2']);
    expect(stuck.status?.serving).toBe(false);
    const late = decide(
      [{ owner: 'shop/local', release: 'r2', resources: [set({}, 'db:2')] }],
      stuck.world,
      3_000_000,
      (value) => value,
    );
    expect(late.owners[0]?.failure).toContain('no progress for 600 s: pod db-2');
    const back = pass([set()], stuck.world, { isBroken });
    expect(back.done).toEqual(['-db-2', '+db-2']);
    expect(back.status?.serving).toBe(true);
  });

  it('waits until a pod was ready for minReadySeconds', () => {
    const spec = { minReadySeconds: 3, replicas: 2 };
    const desired = { owner: 'shop/local', release: 'r1', resources: [set(spec)] };
    let world = emptyWorld();
    function step(now: number): number | undefined {
      for (;;) {
        const { steps, wakeAt } = decide([desired], world, now, (value) => value);
        if (steps.length === 0) return wakeAt;
        for (const each of steps) world = carryOut(world, each, now);
      }
    }
    expect(step(10_000)).toBe(13_000);
    expect(world.pods.map(({ name }) => name)).toEqual(['db-0']);
    expect(step(13_000)).toBe(16_000);
    expect(world.pods.map(({ name }) => name)).toEqual(['db-0', 'db-1']);
  });

  it.each([
    ['serviceName', { serviceName: 'other' }],
    ['podManagementPolicy', { podManagementPolicy: 'Parallel' }],
    ['volumeClaimTemplates', { volumeClaimTemplates: [DATA] }],
    ['selector', { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }],
  ])('is refused where its %s changes', (field, spec) => {
    const { done, status } = pass([set(spec)], THREE);
    expect(done).toEqual([]);
    expect(status?.failure).toMatch(
      new RegExp(`^StatefulSet/default/db: spec.${field} cannot change`),
    );
  });
});

describe('claims of a StatefulSet', () => {
  const claimed = { replicas: 2, volumeClaimTemplates: [DATA] };
  const two = pass([set(claimed)], emptyWorld());

  function dropping(policy: object): object {
    return { ...claimed, persistentVolumeClaimRetentionPolicy: policy };
  }

  it('are made before the pod that has them, which finds them again', () => {
    expect(two.done).toEqual(['claim data-db-0', '+db-0', 'claim data-db-1', '+db-1']);
    expect(pass([set(claimed)], without(two.world, 'db-1')).done).toEqual(['+db-1']);
  });

  it('outlive pods and the StatefulSet', () => {
    const scaled = pass([set({ ...claimed, replicas: 0 })], two.world);
    expect(claimNames(scaled.world)).toEqual(['data-db-0', 'data-db-1']);
    const gone = pass([], scaled.world);
    expect(claimNames(gone.world)).toEqual(['data-db-0', 'data-db-1']);
    expect(pass([set(claimed)], gone.world).done).toEqual(['+db-0', '+db-1']);
  });

  it('go with pods that it is scaled down by where that is said', () => {
    const spec = dropping({ whenScaled: 'Delete' });
    const { done, world, status } = pass([set({ ...spec, replicas: 1 })], two.world);
    expect(done).toEqual(['-db-1', 'drop data-db-1']);
    expect(world.records[0]).not.toHaveProperty('set');
    expect(status?.serving).toBe(true);
    expect(pass([], world).done).toEqual(['-db-0']);
  });

  it('that were kept before it was said stay', () => {
    const kept = pass([set({ ...claimed, replicas: 1 })], two.world);
    const spec = { ...dropping({ whenScaled: 'Delete' }), replicas: 1 };
    expect(pass([set(spec)], kept.world).done).toEqual([]);
  });

  it('that are going are not given to a pod that is wanted again: it gets a new one', () => {
    const spec = dropping({ whenScaled: 'Delete' });
    const pods = two.world.pods.map((pod) =>
      pod.name === 'db-1' ? { ...pod, deletingSince: 5 } : pod,
    );
    const records = two.world.records.map((each) => ({ ...each, set: { reclaim: [1] } }));
    const leaving = pass([set(spec)], { ...two.world, pods, records });
    expect(leaving.done).toEqual([]);
    const { done } = pass([set(spec)], without(leaving.world, 'db-1'));
    expect(done).toEqual(['drop data-db-1', 'claim data-db-1', '+db-1']);
  });

  it('stay with a pod that is wanted again before it was told to go', () => {
    const records = two.world.records.map((each) => ({ ...each, set: { reclaim: [1] } }));
    const spec = dropping({ whenScaled: 'Delete' });
    expect(pass([set(spec)], { ...two.world, records }).done).toEqual([]);
  });

  it('go with the StatefulSet where that is said, also of pods that it had', () => {
    const { world } = pass(
      [set({ ...dropping({ whenDeleted: 'Delete' }), replicas: 1 })],
      two.world,
    );
    const { done, world: left } = pass([], world);
    expect(done).toEqual(['-db-0', 'drop data-db-0', 'drop data-db-1']);
    expect(left.records).toEqual([]);
  });

  it('do not go where manifests have them themselves', () => {
    const own: Resource = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      ...DATA,
      metadata: { name: 'data-db-1' },
    };
    const spec = dropping({ whenDeleted: 'Delete', whenScaled: 'Delete' });
    const { world } = pass([set(spec), own], emptyWorld());
    const scaled = pass([set({ ...spec, replicas: 1 }), own], world);
    expect(claimNames(scaled.world)).toEqual(['data-db-0', 'data-db-1']);
    expect(claimNames(pass([own], scaled.world).world)).toEqual(['data-db-1']);
  });

  it('are told of where the StatefulSet is deleted', () => {
    const desired = { owner: 'shop/local', release: 'r2', resources: [] };
    const { owners } = decide([desired], two.world, 2_000_000, (value) => value);
    expect(owners[0]?.plan[0]?.reason).toContain('the volumes of its claims are kept');
  });

  it('of another owner are not taken', () => {
    const gone = pass([], two.world);
    const { status, done } = pass([set(claimed)], gone.world, { owner: 'thief/local' });
    expect(done).toEqual([]);
    expect(status?.failure).toContain(
      'the volume of PersistentVolumeClaim/default/data-db-0 holds what shop/local left',
    );
  });
});

describe('any StatefulSet', () => {
  const Spec = fc.record({
    replicas: fc.integer({ min: 0, max: 4 }),
    image: fc.constantFrom('db:1', 'db:2', 'db:3'),
    partition: fc.integer({ min: 0, max: 3 }),
    start: fc.integer({ min: 0, max: 1 }),
  });

  it.each(['OrderedReady', 'Parallel'])(
    'gets to what is wanted from wherever it is cut off, never two away at once, and keeps volumes: %s',
    (podManagementPolicy) => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(Spec, fc.integer({ min: 0, max: 30 })), { minLength: 1, maxLength: 5 }),
          (changes) => {
            let world = emptyWorld();
            const seen = new Set<string>();
            for (const [{ replicas, image, partition, start }, cutAt] of changes) {
              const spec = {
                replicas,
                podManagementPolicy,
                ordinals: { start },
                volumeClaimTemplates: [DATA],
                ...rolling({ partition }),
              };
              const resources = [set(spec, image)];
              const names = Array.from({ length: replicas }, (_, index) => `db-${start + index}`);
              world = cutOff(resources, world, cutAt, (step, before) => {
                if (step.kind !== 'deletePod' || !names.includes(step.name)) return;
                const lacking = names.filter(
                  (name) => !before.pods.some((pod) => pod.name === name),
                );
                expect(lacking).toEqual([]);
              });
              for (const { name } of world.claims) seen.add(name);
            }
            const [last] = changes.at(-1) ?? [];
            if (last === undefined) return;
            const { replicas, image, partition, start } = last;
            const spec = {
              replicas,
              podManagementPolicy,
              ordinals: { start },
              volumeClaimTemplates: [DATA],
              ...rolling({ partition }),
            };
            const { world: reached, status } = pass([set(spec, image)], world);
            const names = Array.from({ length: replicas }, (_, index) => `db-${start + index}`);
            expect(status?.serving).toBe(true);
            expect(reached.pods.map(({ name }) => name).toSorted()).toEqual(names);
            const claims = claimNames(reached);
            expect([...seen].every((name) => claims.includes(name))).toBe(true);
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  /** So many steps, and then the worker is gone. */
  function cutOff(
    resources: readonly Resource[],
    from: World,
    most: number,
    check: (step: Step, before: World) => void,
  ): World {
    let world = from;
    const begin = after(from);
    let left = most;
    for (let round = 0; round < 60; round += 1) {
      const now = begin + round * 1_000;
      const desired = { owner: 'shop/local', release: 'r1', resources };
      const { steps } = decide([desired], world, now, (value) => value);
      if (steps.length === 0) return world;
      for (const step of steps) {
        if (left === 0) return world;
        left -= 1;
        check(step, world);
        world = carryOut(world, step, now);
      }
    }
    throw new Error('does not come to rest');
  }
});

describe('manifests of a StatefulSet', () => {
  function problems(...resources: Resource[]): string[] {
    const files = resources.map((resource, index) => ({
      path: `${index}.yaml`,
      text: JSON.stringify(resource),
    }));
    return acceptResources(parseManifests(files)).map(formatProblem);
  }

  it.each([
    [{}, /^$/],
    [rolling({ maxUnavailable: 0 }), /maxUnavailable: must be more than 0/],
    [rolling({ maxUnavailable: '0%' }), /maxUnavailable: must be more than 0/],
    [{ updateStrategy: { type: 'OnDelete', rollingUpdate: {} } }, /belongs to type RollingUpdate/],
    [{ updateStrategy: { type: 'Recreate' } }, /updateStrategy.type/],
    [{ volumeClaimTemplates: [DATA, DATA] }, /\[1\].metadata.name: data is there twice/],
    [
      {
        volumeClaimTemplates: [
          {
            ...DATA,
            metadata: { name: 'data', annotations: { 'windlass.dev/reclaim-policy': 'Delete' } },
          },
        ],
      },
      /is said in persistentVolumeClaimRetentionPolicy/,
    ],
    [{ persistentVolumeClaimRetentionPolicy: { whenScaled: 'Recycle' } }, /whenScaled/],
  ])('%j', (spec, message) => {
    expect(problems(set(spec)).join()).toMatch(message);
  });

  it('may mount claims of its templates, and name no pod as another does', () => {
    const mounting = set({
      volumeClaimTemplates: [DATA],
      template: {
        metadata: { labels: { app: 'db' } },
        spec: {
          containers: [
            { name: 'main', image: 'db:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] },
          ],
        },
      },
    });
    expect(problems(mounting)).toEqual([]);
    const pod: Resource = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'db-1' },
      spec: { containers: [{ name: 'main', image: 'db:1' }] },
    };
    expect(problems(set(), pod).join()).toContain(
      'it makes a pod db-1, and there is a Pod of that name',
    );
  });
});
