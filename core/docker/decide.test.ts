import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '#core/docker/decide.ts';
import { createClaims } from '#core/docker/host-ports.ts';
import { keepPods } from '#core/docker/keep-pods.ts';
import { isAvailable, isReady } from '#core/docker/readiness.ts';
import { carryOut, emptyWorld, running } from '#core/docker/testing/simulator.ts';
import type { LiveContainer, LivePod, World } from '#core/docker/world.ts';
import { keeper, normalise } from '#core/docker/workloads.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

const SECOND = 1_000;

function seal(value: string): string {
  return `sealed ${value}`;
}

interface Shape {
  replicas: number;
  image: string;
  page: string;
  strategy?: object;
}

function deployment({ replicas, image, strategy }: Shape, name = 'web'): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      ...(strategy === undefined ? {} : { strategy }),
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [
            {
              name: 'main',
              image,
              ports: [{ name: 'http', containerPort: 8080 }],
              volumeMounts: [{ name: 'page', mountPath: '/www' }],
              readinessProbe: { httpGet: { path: '/', port: 'http' } },
            },
          ],
          volumes: [{ name: 'page', configMap: { name } }],
        },
      },
    },
  };
}

function configMap(page: string, name = 'web'): Resource {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { 'index.html': page } };
}

function service(name = 'web'): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: {
      type: 'NodePort',
      selector: { app: name },
      ports: [{ port: 80, targetPort: 'http', nodePort: name === 'web' ? 30_080 : 30_081 }],
    },
  };
}

const password: Resource = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'password' },
  stringData: { value: 'hunter2' },
};

function app(shape: Shape, name = 'web'): Resource[] {
  return [
    configMap(shape.page, name),
    service(name),
    deployment(shape, name),
    ...(name === 'web' ? [password] : []),
  ];
}

function state(resources: readonly Resource[], owner = 'shop/local'): DesiredState {
  return { owner, release: 'r1', resources };
}

interface Converged {
  world: World;
  status: OwnerStatus[];
  rounds: number;
}

/** Decides and carries out, one decision a second, until there is nothing to do. */
function converge(
  desired: readonly DesiredState[],
  from: World,
  onWorld: (world: World, now: number) => void = () => undefined,
  start = 1_000_000,
): Converged {
  let world = from;
  for (let rounds = 0; rounds < 100; rounds += 1) {
    const now = start + rounds * SECOND;
    const decision = decide(desired, world, now, seal);
    if (decision.steps.length === 0) return { world, status: decision.owners, rounds };
    for (const step of decision.steps) {
      world = carryOut(world, step, now);
      onWorld(world, now);
    }
  }
  throw new Error('did not converge');
}

const shape: Shape = { replicas: 3, image: 'web@sha256:1', page: 'one' };

describe('decide', () => {
  it('makes everything in an order in which nothing lacks what it needs, and then serves', () => {
    const { steps, owners } = decide([state(app(shape))], emptyWorld(), 0, seal);
    expect(steps.map(({ kind }) => kind)).toEqual([
      'record',
      'record',
      'record',
      'record',
      'configureDns',
      'createPod',
      'createPod',
      'createPod',
      'configureProxy',
      'configureEdge',
    ]);
    expect(owners[0]?.serving).toBe(false);
    const { status } = converge([state(app(shape))], emptyWorld());
    expect(status[0]).toMatchObject({ serving: true, plan: [] });
  });

  it('waits for what carries UDP and answers aliases with those alone that need it', () => {
    function serviceOf(spec: object): Resource[] {
      return [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'other' }, spec }];
    }
    const selector = { app: 'web' };
    const port = { name: 'http', port: 80 };
    const desired = [
      state(app(shape)),
      state(serviceOf({ selector, ports: [{ port: 53, protocol: 'UDP' }] }), 'udp/local'),
      state(serviceOf({ type: 'ExternalName', externalName: 'example.com' }), 'alias/local'),
      state(serviceOf({ selector, ports: [port] }), 'named/local'),
      state(serviceOf({ selector, ports: [port], clusterIP: 'None' }), 'headless/local'),
    ].map((each, index) => ({
      ...each,
      resources: each.resources.map((resource) =>
        index === 0 ? resource : { ...resource, metadata: { name: `other-${index}` } },
      ),
    }));
    const { world } = converge(desired, emptyWorld());
    const { udpProxy: _udp, nameRecords: _records, ...lacking } = world;
    const { steps, owners } = decide(desired, lacking, 2_000_000, seal);
    expect(steps).toMatchObject([
      { kind: 'configureRecords', owners: ['alias/local', 'headless/local'] },
      { kind: 'configureUdp', role: 'udp-proxy', owners: ['udp/local'] },
    ]);
    expect(owners.map(({ serving }) => serving)).toEqual([true, false, false, true, false]);
  });

  it('keeps values of Secrets out of steps, plans and statuses', () => {
    const decision = decide(
      [state([password])],
      emptyWorld(),
      0,
      (value) => `${value.length} characters`,
    );
    expect(JSON.stringify(decision)).not.toContain(btoa('hunter2'));
    expect(JSON.stringify(decision)).not.toContain('hunter2');
  });

  it('takes a pod out of the proxy before it deletes it', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const { steps } = decide([state(app({ ...shape, replicas: 1 }))], world, 2_000_000, seal);
    const kinds = steps.map(({ kind }) => kind);
    expect(kinds).toEqual(['record', 'configureProxy', 'configureEdge', 'deletePod', 'deletePod']);
    const [proxy] = steps.filter((step) => step.kind === 'configureProxy');
    const leaving = steps.flatMap((step) => (step.kind === 'deletePod' ? [step.name] : []));
    for (const name of leaving) expect(proxy?.config.haproxy).not.toContain(name);
  });

  it('changes files in place when only a ConfigMap differs', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const { steps } = decide([state(app({ ...shape, page: 'two' }))], world, 2_000_000, seal);
    expect(steps.map(({ kind }) => kind)).toEqual([
      'record',
      'writeVolume',
      'writeVolume',
      'writeVolume',
    ]);
  });

  it.each<{ name: string; damage: Partial<LiveContainer>; why: string }>([
    { name: 'a stopped container', damage: { state: 'exited' }, why: 'container main is exited' },
    {
      name: 'an altered limit',
      damage: { drift: ['memory limit 1Mi, was none'] },
      why: 'container main: memory limit 1Mi, was none',
    },
    {
      name: 'a sandbox restarted under it',
      damage: { joined: false },
      why: "container main lost the pod's network",
    },
  ])('puts back $name and says so', ({ damage, why }) => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const [first, ...others] = world.pods;
    if (first === undefined) throw new Error('no pod');
    const broken = {
      ...world,
      pods: [{ ...first, containers: { main: { ...running(0), ...damage } } }, ...others],
    };
    const decision = decide([state(app(shape))], broken, 2_000_000, seal);
    expect(decision.steps.find(({ kind }) => kind === 'repairPod')).toMatchObject({ why });
    expect(decision.owners[0]?.plan[0]).toMatchObject({
      action: 'update',
      key: 'Deployment/default/web',
      reason: `pod ${first.name}: ${why}`,
    });
    expect(decision.owners[0]?.serving).toBe(false);
  });

  it('refuses what another owner has, and touches nothing of it', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const { steps, owners } = decide(
      [state(app(shape)), state([deployment(shape)], 'thief/local')],
      world,
      2_000_000,
      seal,
    );
    expect(steps).toEqual([]);
    expect(owners[1]?.failure).toBe(
      'Deployment/default/web belongs to shop/local, so thief/local cannot have it too',
    );
    expect(owners[1]?.serving).toBe(false);
  });

  it('deletes what is no longer wanted, records last, and leaves other owners alone', () => {
    const both = [state(app(shape)), state(app(shape, 'other'), 'other/local')];
    const { world } = converge(both, emptyWorld());
    const { world: after } = converge([state([])], world);
    expect(after.records.map(({ owner }) => owner)).toEqual([
      'other/local',
      'other/local',
      'other/local',
    ]);
    expect(after.pods.every(({ owner }) => owner === 'other/local')).toBe(true);
    expect(after.pods).toHaveLength(3);
  });

  it('fails a release whose pods do not become ready in time, with what the probe answered', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const unready = {
      ...world,
      pods: world.pods.map((pod) => ({
        ...pod,
        probes: { main: { readiness: { ok: false, since: 0, answer: 'HTTP 503: starting' } } },
      })),
    };
    const early = decide([state(app(shape))], unready, 1_100_000, seal);
    expect(early.owners[0]?.failure).toBeUndefined();
    const late = decide([state(app(shape))], unready, 1_700_000, seal);
    expect(late.owners[0]?.failure).toContain('no progress for 600 s');
    expect(late.owners[0]?.failure).toContain('readiness probe: HTTP 503: starting');
  });

  it.each<{ name: string; change: Partial<LivePod>; reason: string }>([
    {
      name: 'an image that cannot be pulled',
      change: {
        containers: {},
        problem: {
          container: 'main',
          reason: 'ImagePullBackOff',
          message: 'manifest unknown',
          retryAt: 9e15,
        },
      },
      reason: 'ImagePullBackOff: manifest unknown',
    },
    {
      name: 'a crash loop',
      change: {
        containers: {
          main: {
            ...running(0),
            state: 'exited',
            restarts: 3,
            exitCode: 3,
            finishedAt: 1_000_000,
            restartAt: 1_020_000,
            lastLog: ['no database'],
          },
        },
      },
      reason: 'CrashLoopBackOff: exit code 3, 3 restarts; last lines: no database',
    },
    {
      name: 'a crash loop of one that says why',
      change: {
        containers: {
          main: {
            ...running(0),
            state: 'exited',
            restarts: 3,
            exitCode: 3,
            finishedAt: 1_000_000,
            restartAt: 1_020_000,
            lastLog: ['bye'],
            lastWords: 'no database\n',
          },
        },
      },
      reason: 'CrashLoopBackOff: exit code 3, 3 restarts; it said: no database',
    },
  ])('fails at once for $name', ({ change, reason }) => {
    const { world } = converge([state(app({ ...shape, replicas: 1 }))], emptyWorld());
    const broken = { ...world, pods: world.pods.map((pod) => ({ ...pod, ...change })) };
    const { owners } = decide([state(app({ ...shape, replicas: 1 }))], broken, 1_001_000, seal);
    expect(owners[0]?.failure).toContain(reason);
  });
});

describe('a container that ended', () => {
  function one(change: Partial<LiveContainer>, probes: LivePod['probes'] = {}): World {
    const { world } = converge([state(app({ ...shape, replicas: 1 }))], emptyWorld());
    const main = { ...running(0), restarts: 2, ...change };
    return { ...world, pods: world.pods.map((pod) => ({ ...pod, containers: { main }, probes })) };
  }

  function decideOn(world: World): ReturnType<typeof decide> {
    return decide([state(app({ ...shape, replicas: 1 }))], world, 1_100_000, seal);
  }

  function kinds(world: World): string[] {
    return decideOn(world).steps.flatMap(({ kind }) => (kind.startsWith('configure') ? [] : kind));
  }

  function containers(world: World): unknown {
    const [owner] = decideOn(world).owners;
    return owner?.resources.flatMap(({ pods = [] }) => pods)[0]?.containers;
  }

  it('is left alone until its back-off is over, and looked at then', () => {
    const waiting = one({ state: 'exited', finishedAt: 1_090_000, restartAt: 1_100_500 });
    expect(kinds(waiting)).toEqual([]);
    expect(decideOn(waiting).wakeAt).toBe(1_100_500);
    expect(containers(waiting)).toMatchObject([
      { state: 'waiting', reason: 'CrashLoopBackOff', restarts: 2 },
    ]);
    expect(kinds(one({ state: 'exited', restartAt: 1_100_000 }))).toEqual(['repairPod']);
  });

  it('is not given up while the back-off is short', () => {
    const waiting = one({ state: 'exited', finishedAt: 1_090_000, restartAt: 1_100_001 });
    expect(decideOn(waiting).owners[0]?.failure).toBeUndefined();
  });

  it('tells how it ended before it was restarted', () => {
    const again = one({ exitCode: 137, oomKilled: true, lastLog: [] });
    expect(containers(again)).toMatchObject([
      { state: 'running', restarts: 2, last: { reason: 'OOMKilled', exitCode: 137 } },
    ]);
  });

  it('tells its termination message in place of its last lines', () => {
    const said = { lastLog: ['bye'], lastWords: 'no database' };
    expect(containers(one({ state: 'exited', exitCode: 3, ...said }))).toMatchObject([
      { state: 'terminated', message: 'no database' },
    ]);
    expect(containers(one(said))).toMatchObject([{ last: { message: 'no database' } }]);
  });

  it('is restarted when a liveness probe gives up on it', () => {
    const failed = { probe: 'liveness' as const, answer: 'HTTP 500' };
    const [step] = decideOn(one({}, { main: { failed } })).steps.filter(
      ({ kind }) => kind === 'restartContainer',
    );
    expect(step).toMatchObject({
      container: 'main',
      graceSeconds: 30,
      why: 'liveness probe failed: HTTP 500',
    });
  });

  it('does not count as ready before its startup probe has succeeded', () => {
    const startup = { ok: false, since: 0, answer: 'exit code 1' };
    expect(one({}, { main: { startup } }).pods.some(isReady)).toBe(false);
    expect(one({}, { main: {} }).pods.every(isReady)).toBe(true);
  });
});

const shapes = fc.record({
  replicas: fc.nat(5),
  image: fc.constantFrom('web@sha256:1', 'web@sha256:2'),
  page: fc.constantFrom('one', 'two'),
  strategy: fc.oneof(
    fc.constant({ type: 'Recreate' }),
    fc.record({
      type: fc.constant('RollingUpdate'),
      rollingUpdate: fc.record({
        maxSurge: fc.oneof(fc.nat(3), fc.constantFrom('25%', '100%')),
        maxUnavailable: fc.oneof(fc.nat(3), fc.constantFrom('0%', '50%')),
      }),
    }),
  ),
});
const damages = fc.constantFrom<(pod: LivePod) => LivePod | undefined>(
  (pod) => pod,
  () => undefined,
  (pod) => ({ ...pod, containers: {} }),
  (pod) => ({ ...pod, volumeHashes: {} }),
  (pod) => ({ ...pod, sandbox: { ...pod.sandbox, state: 'exited' } }),
  (pod) => ({ ...pod, containers: { main: { ...running(0), state: 'exited', exitCode: 1 } } }),
  (pod) => ({ ...pod, containers: { main: { ...running(0), joined: false } } }),
);

describe('from any state', () => {
  it('reaches what is desired, and then has nothing to do', () => {
    fc.assert(
      fc.property(
        shapes,
        shapes,
        fc.array(damages, { minLength: 8, maxLength: 8 }),
        fc.nat(20),
        fc.boolean(),
        (before, after, harm, killedAt, prunedRecords) => {
          // An earlier release, cut off after any number of steps, damaged by hand.
          let world = emptyWorld();
          const first = decide([state(app(before))], world, 0, seal).steps;
          for (const step of first.slice(0, killedAt)) world = carryOut(world, step, 0);
          world = {
            ...world,
            pods: world.pods.flatMap((pod, index) => harm[index]?.(pod) ?? []),
            records: prunedRecords ? [] : world.records,
          };
          const other = converge(
            [state(app({ ...before, replicas: 2 }, 'other'), 'other/local')],
            world,
            () => undefined,
            10_000,
          ).world;
          const bystanders = other.pods.filter(({ owner }) => owner === 'other/local');

          const { world: reached, status } = converge([state(app(after))], other);

          expect(status[0]).toMatchObject({ serving: true, plan: [] });
          expect(reached.pods.filter(({ owner }) => owner === 'shop/local')).toHaveLength(
            after.replicas,
          );
          expect(reached.pods.filter(({ owner }) => owner === 'other/local')).toEqual(bystanders);
          const wanted = app(after).map((resource) => keyOf(resource));
          expect(
            reached.records
              .filter(({ owner }) => owner === 'shop/local')
              .map(({ key }) => key)
              .toSorted(),
          ).toEqual(wanted.toSorted());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never takes away more than maxUnavailable, nor has more than maxSurge above', () => {
    const rolling = fc.record({ maxSurge: fc.nat(3), maxUnavailable: fc.nat(3) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), rolling, (replicas, rollingUpdate) => {
        const strategy = { type: 'RollingUpdate', rollingUpdate };
        const { world } = converge([state(app({ ...shape, replicas, strategy }))], emptyWorld());
        const floor =
          replicas - Math.max(rollingUpdate.maxUnavailable, rollingUpdate.maxSurge === 0 ? 1 : 0);
        converge(
          [state(app({ ...shape, image: 'web@sha256:2', replicas, strategy }))],
          world,
          (each, now) => {
            expect(
              each.pods.filter((pod) => isAvailable(pod, 0, now)).length,
            ).toBeGreaterThanOrEqual(Math.max(0, floor));
            expect(each.pods.length).toBeLessThanOrEqual(replicas + rollingUpdate.maxSurge);
          },
        );
      }),
    );
  });

  it('never runs two versions at once with Recreate', () => {
    const strategy = { type: 'Recreate' };
    const { world } = converge([state(app({ ...shape, strategy }))], emptyWorld());
    converge([state(app({ ...shape, image: 'web@sha256:2', strategy }))], world, (each) => {
      expect(new Set(each.pods.map(({ templateHash }) => templateHash)).size).toBeLessThanOrEqual(
        1,
      );
    });
  });
});

function pod(image: string): Resource {
  const { template } = deployment({ ...shape, image })['spec'] as {
    template: { metadata: object; spec: object };
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'alone', ...template.metadata },
    spec: template.spec,
  };
}

function daemonSet(image: string, updateStrategy?: object): Resource {
  const { template, selector } = deployment({ ...shape, image })['spec'] as Record<string, object>;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web' },
    spec: { selector, template, ...(updateStrategy && { updateStrategy }) },
  };
}

describe('other workloads', () => {
  const SECOND_IMAGE = 'web@sha256:2';

  it('keeps a Pod under its own name, and makes it anew when it changes', () => {
    const first = converge([state([configMap('page'), pod(shape.image)])], emptyWorld());
    expect(first.world.pods.map(({ name, keeper }) => [name, keeper])).toEqual([
      ['alone', 'Pod/default/alone'],
    ]);
    expect(first.status[0]).toMatchObject({ serving: true });
    const before = first.world.pods[0]?.templateHash;
    const second = converge([state([configMap('page'), pod(SECOND_IMAGE)])], first.world);
    expect(second.status[0]).toMatchObject({ serving: true });
    expect(second.world.pods.map(({ name }) => name)).toEqual(['alone']);
    expect(second.world.pods[0]?.templateHash).not.toBe(before);
  });

  it('keeps one pod of a DaemonSet, and replaces it when it changes', () => {
    const first = converge([state([configMap('page'), daemonSet(shape.image)])], emptyWorld());
    expect(first.world.pods).toHaveLength(1);
    const second = converge([state([configMap('page'), daemonSet(SECOND_IMAGE)])], first.world);
    expect(second.status[0]).toMatchObject({ serving: true });
    expect(second.world.pods).toHaveLength(1);
    expect(second.world.pods[0]?.name).not.toBe(first.world.pods[0]?.name);
  });

  it('leaves the pods of a paused Deployment as they are, scales them, and goes on later', () => {
    function paused(image: string, replicas: number, isPaused = true): DesiredState[] {
      const resource = deployment({ ...shape, image, replicas });
      const spec = { ...(resource['spec'] as object), paused: isPaused };
      return [state([configMap('page'), { ...resource, spec }])];
    }
    const never = converge(paused(shape.image, 2), emptyWorld());
    expect(never.world.pods).toEqual([]);
    expect(never.status[0]?.resources.at(-1)?.summary).toBe('0 of 2 ready, paused');
    const first = converge(paused(shape.image, 2, false), emptyWorld());
    const [hash] = first.world.pods.map(({ templateHash }) => templateHash);
    const second = converge(paused(SECOND_IMAGE, 3), first.world);
    expect(second.status[0]).toMatchObject({ serving: true });
    expect(second.world.pods.map(({ templateHash }) => templateHash)).toEqual([hash, hash, hash]);
    const broken = { ...second.world, pods: second.world.pods.slice(1) };
    const third = converge(paused('web@sha256:3', 3), broken);
    expect(third.world.pods.map(({ templateHash }) => templateHash)).toEqual([hash, hash, hash]);
    const last = converge(paused('web@sha256:3', 3, false), third.world);
    expect(last.world.pods.map(({ templateHash }) => templateHash)).not.toContain(hash);
    expect(last.status[0]).toMatchObject({ serving: true });
  });

  it('leaves the pod of a DaemonSet with OnDelete until it is gone', () => {
    const strategy = { type: 'OnDelete' };
    const first = converge(
      [state([configMap('page'), daemonSet(shape.image, strategy)])],
      emptyWorld(),
    );
    const desired = [state([configMap('page'), daemonSet(SECOND_IMAGE, strategy)])];
    const second = converge(desired, first.world);
    expect(second.status[0]).toMatchObject({ serving: true });
    expect(second.world.pods[0]?.name).toBe(first.world.pods[0]?.name);
    const third = converge(desired, { ...second.world, pods: [] });
    expect(third.world.pods[0]?.name).not.toBe(first.world.pods[0]?.name);
    expect(third.status[0]).toMatchObject({ serving: true });
  });
});

describe('a suspended owner', () => {
  it('is told of, and has nothing done for it, while others go on', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const broken = {
      ...world,
      pods: world.pods.slice(1),
      records: world.records.filter(({ resource }) => resource.kind !== 'ConfigMap'),
    };
    const suspended = { ...state(app({ ...shape, image: 'web@sha256:2' })), suspended: true };
    const other = state([configMap('x', 'x')], 'blog/local');
    const { steps, owners, wakeAt } = decide([suspended, other], broken, 2_000_000, seal);
    expect(steps.map(({ kind }) => kind)).toEqual(['record', 'configureProxy', 'configureEdge']);
    expect(steps[0]).toMatchObject({ owner: 'blog/local' });
    expect(wakeAt).toBeUndefined();
    expect(owners[0]?.plan.map(({ action, key }) => `${action} ${key}`)).toEqual([
      'create ConfigMap/default/web',
      'update Deployment/default/web',
    ]);
    expect(owners[0]?.failure).toBeUndefined();
  });

  it('keeps what its release does not have, and goes on where it was', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const gone = { ...state([]), suspended: true };
    expect(decide([gone], world, 2_000_000, seal).steps).toEqual([]);
    const { world: after } = converge([{ ...gone, suspended: false }], world);
    expect(after).toMatchObject({ records: [], pods: [] });
  });
});

describe('the prune guard', () => {
  const guard = { share: 0.3, atLeast: 3 };
  const renamed = app(shape, 'shop');

  it('makes what is new, and keeps what is gone until somebody confirms', () => {
    const { world } = converge([state(app(shape))], emptyWorld());
    const { world: held, status } = converge([{ ...state(renamed), guard }], world);
    expect(status[0]).toMatchObject({ serving: true, plan: [] });
    expect(status[0]?.held.map(({ key }) => key).toSorted()).toEqual([
      'ConfigMap/default/web',
      'Deployment/default/web',
      'Secret/default/password',
      'Service/default/web',
    ]);
    expect(held.pods).toHaveLength(6);
    const { world: confirmed, status: after } = converge([state(renamed)], held);
    expect(after[0]).toMatchObject({ serving: true, plan: [], held: [] });
    expect(confirmed.records).toHaveLength(renamed.length);
    expect(confirmed.pods.every(({ keeper }) => keeper === 'Deployment/default/shop')).toBe(true);
  });

  it('gives a nodePort that both want to the one in git', () => {
    const same = renamed.map((resource) =>
      resource.kind === 'Service' ? { ...service('web'), metadata: { name: 'shop' } } : resource,
    );
    const { world } = converge([state(app(shape))], emptyWorld());
    const { steps } = decide([{ ...state(same), guard }], world, 2_000_000, seal);
    const [edge] = steps.filter((step) => step.kind === 'configureEdge');
    expect(edge?.config.ports).toEqual([30_080]);
    expect(edge?.config.haproxy).toContain('listen default.shop:30080');
  });

  it('keeps everything wherever it is cut off, and whatever is released on top', () => {
    fc.assert(
      fc.property(shapes, shapes, fc.nat(40), fc.nat(12), (before, after, killedAt, extra) => {
        let { world } = converge([state(app(before))], emptyWorld());
        const more = Array.from({ length: extra }, (_, index) => configMap('x', `extra-${index}`));
        const release = { ...state([...app(after, 'shop'), ...more]), guard };
        let left = killedAt;
        for (let round = 0; left > 0 && round < 5; round += 1) {
          const { steps } = decide([release], world, 2_000_000 + round, seal);
          for (const step of steps.slice(0, left)) world = carryOut(world, step, 2_000_000 + round);
          left -= steps.length;
        }
        const next = { ...release, resources: [...release.resources, configMap('y', 'next')] };
        const { world: reached, status } = converge([next], world, () => undefined, 3_000_000);
        expect(status[0]?.held).toHaveLength(4);
        expect(status[0]?.plan).toEqual([]);
        const old = reached.pods.filter(({ keeper }) => keeper === 'Deployment/default/web');
        expect(old).toHaveLength(before.replicas);
        // Wanted again, it is as if nothing had been.
        const both = { ...state([...app(before), ...next.resources]), guard };
        const { world: back } = converge([both], reached, () => undefined, 4_000_000);
        expect(back.records.filter(({ held }) => held === true)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('keepPods', () => {
  it('waits for a pod to be available as long as minReadySeconds says', () => {
    const resource = deployment(shape);
    const spec = { ...(resource['spec'] as object), minReadySeconds: 10, replicas: 1 };
    const web = keeper(normalise({ ...resource, spec }));
    const { world } = converge(
      [
        state([
          configMap('one'),
          { ...resource, spec: { ...(resource['spec'] as object), replicas: 1 } },
        ]),
      ],
      emptyWorld(),
    );
    const workloads = {
      configMaps: new Map(),
      secrets: new Map(),
      keepers: [web],
      services: [],
      ingresses: [],
    };
    const at = (world.pods[0]?.createdAt ?? 0) + 4 * SECOND;
    const kept = keepPods({
      workload: web,
      owner: 'shop/local',
      workloads,
      pods: world.pods,
      claims: createClaims(world.pods),
      recordedAt: 0,
      now: at,
    });
    expect(world.pods.every(isReady)).toBe(true);
    expect(kept).toMatchObject({ complete: false, wakeAt: at + 6 * SECOND });
  });
});
