import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';
import { decide } from '#core/swarm/decide.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { LiveTask, SwarmStep } from '#core/swarm/world.ts';

function web(
  change: { image?: string; replicas?: number; files?: boolean; pod?: object } = {},
): Resource {
  const { image = 'web:1', replicas = 2, files = true, pod = {} } = change;
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'web',
              image,
              ...(files
                ? {
                    volumeMounts: [
                      { name: 'page', mountPath: '/page' },
                      { name: 'key', mountPath: '/key/' },
                    ],
                  }
                : {}),
            },
          ],
          volumes: [
            { name: 'page', configMap: { name: 'page' } },
            { name: 'key', secret: { secretName: 'key' } },
          ],
          ...pod,
        },
      },
    },
  };
}

function page(text: string, name = 'page'): Resource {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text } };
}

function key(word: string): Resource {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { word } };
}

function asked(): Resource {
  const labels = { app: 'asked' };
  const container = { name: 'web', image: 'web:1', livenessProbe: { tcpSocket: { port: 80 } } };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'asked' },
    spec: { selector: { matchLabels: labels }, template },
  };
}

const JOB: Resource = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'migrate' },
  spec: {
    template: {
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'web:1' }] },
    },
  },
};

function desire(resources: Resource[], owner = 'shop/test'): DesiredState {
  return { owner, release: 'r1', resources };
}

function kinds(steps: readonly SwarmStep[]): string[] {
  return steps.map(({ kind }) => kind);
}

function served(): { swarm: SimulatedSwarm; resources: Resource[] } {
  const swarm = simulateSwarm();
  const resources = [page('one'), key('s3cret'), web()];
  expect(swarm.settle([desire(resources)]).owners[0]).toMatchObject({ serving: true });
  return { swarm, resources };
}

describe('decide', () => {
  it('brings what asks tasks to every server before the first service that needs it, and to those that come', () => {
    const swarm = simulateSwarm();
    swarm.world.proxies.push({ node: 'two', isEdge: true });
    const done = kinds(swarm.settle([desire([asked()])]).done);
    expect(done.filter((kind) => kind === 'placeProbes')).toHaveLength(2);
    expect(done.indexOf('createService')).toBeGreaterThan(done.lastIndexOf('placeProbes'));
    expect(swarm.settle([desire([asked(), web({ files: false })])]).done).not.toContainEqual(
      expect.objectContaining({ kind: 'placeProbes' }),
    );
    swarm.world.proxies.push({ node: 'three', isEdge: true });
    expect(swarm.settle([desire([asked()])]).done).toContainEqual({
      kind: 'placeProbes',
      node: 'three',
      owners: ['shop/test'],
    });
  });

  it('goes on without it where a server cannot have what asks tasks for now', () => {
    const swarm = simulateSwarm();
    swarm.world.proxies = [{ node: 'one', isEdge: true, leftAside: ['placeProbes'] }];
    const { done, owners } = swarm.settle([desire([asked()])]);
    expect(kinds(done)).not.toContain('placeProbes');
    expect(owners[0]?.serving).toBe(true);
  });

  it('records first, then makes files, then the service that mounts them', () => {
    const swarm = simulateSwarm();
    const { done, owners } = swarm.settle([desire([page('one'), key('s3cret'), web()])]);
    expect(kinds(done)).toEqual([
      'record',
      'record',
      'record',
      'configureProxy',
      'configureDns',
      'createFile',
      'createFile',
      'createService',
    ]);
    expect(owners[0]).toMatchObject({ plan: [], serving: true });
  });

  it('does nothing for a release that no container can see', () => {
    const { swarm, resources } = served();
    const { done } = swarm.settle([
      { ...desire([...resources, page('else', 'other')]), release: 'r2' },
    ]);
    expect(kinds(done)).toEqual(['record']);
  });

  it('scales without another template', () => {
    const { swarm } = served();
    const hash = swarm.world.tasks[0]?.templateHash;
    swarm.settle([desire([page('one'), key('s3cret'), web({ replicas: 3 })])]);
    expect(swarm.world.tasks.map(({ templateHash }) => templateHash)).toEqual([hash, hash, hash]);
  });

  it('waits for no pod of what is scaled to zero', () => {
    const { swarm } = served();
    const { owners } = swarm.settle([desire([page('one'), key('s3cret'), web({ replicas: 0 })])]);
    expect(swarm.world.tasks).toEqual([]);
    expect(owners[0]).toMatchObject({ serving: true });
    expect(owners[0]?.resources.at(-1)).toMatchObject({ summary: '0 of 0 ready' });
  });

  it('changes no template for a Service, or how many pods there are', () => {
    const { swarm } = served();
    const hash = swarm.world.tasks[0]?.templateHash;
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    };
    const all = [page('one'), key('s3cret'), service, web({ replicas: 3 })];
    const { done } = swarm.settle([desire(all)]);
    expect(kinds(done)).toContain('updateService');
    expect(new Set(swarm.world.tasks.map(({ templateHash }) => templateHash))).toEqual(
      new Set([hash]),
    );
  });

  it('tells Swarm of a login that has changed', () => {
    const swarm = simulateSwarm();
    function withPassword(password: string): DesiredState[] {
      const login = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'login' },
        type: 'kubernetes.io/dockercfg',
        stringData: { '.dockercfg': `{"docker.io":{"username":"ann","password":"${password}"}}` },
      };
      const pod = { imagePullSecrets: [{ name: 'login' }] };
      return [desire([login, web({ files: false, image: 'docker.io/team/web:1', pod })])];
    }
    swarm.settle(withPassword('one'));
    const hash = swarm.world.tasks[0]?.templateHash;
    const { done } = swarm.settle(withPassword('two'));
    expect(done.find(({ kind }) => kind === 'updateService')).toMatchObject({
      logins: [{ username: 'ann', password: 'two' }],
    });
    expect(swarm.world.tasks[0]?.templateHash).toBe(hash);
    // Also of a worker that has just started, and writes no service.
    const { steps, pulls } = decide(withPassword('two'), swarm.world, swarm.now, {
      place: { cluster: 'c', installation: 'i' },
      seal: (value) => `sealed-${contentHash(value)}`,
      endpointMode: 'dnsrr',
      declared: true,
    });
    expect(steps).toEqual([]);
    expect(pulls).toEqual(
      new Map([
        [hash, { image: 'docker.io/team/web:1', logins: [{ username: 'ann', password: 'two' }] }],
      ]),
    );
  });

  it('tells which logins are not there, whether it runs without them or not', () => {
    const swarm = simulateSwarm();
    const pod = { imagePullSecrets: [{ name: 'nowhere' }, { name: 'key' }] };
    const wanted = [desire([key('s3cret'), web({ files: false, pod })])];
    const told =
      'FailedToRetrieveImagePullSecret: there is no Secret nowhere; Secret key of type Opaque holds no logins';
    const { owners } = swarm.settle(wanted);
    expect(owners[0]?.serving).toBe(true);
    expect(owners[0]?.resources.at(-1)?.summary).toBe(`2 of 2 ready; ${told}`);
    swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, state: 'pending' }));
    swarm.now += 700_000;
    const rules = {
      place: { cluster: 'c', installation: 'i' },
      endpointMode: 'dnsrr' as const,
      declared: true,
    };
    const later = decide(wanted, swarm.world, swarm.now, { ...rules, seal: (value) => value });
    expect(later.owners[0]?.failure).toMatch(new RegExp(`^Deployment web: not ready .*; ${told}$`));
  });

  it('mounts a changed file under another name, and keeps the one before to go back to', () => {
    const { swarm } = served();
    const before = swarm.world.files.map(({ name }) => name);
    swarm.settle([desire([page('two'), key('s3cret'), web()])]);
    expect(swarm.world.files).toHaveLength(3);
    swarm.settle([desire([page('three'), key('s3cret'), web()])]);
    expect(swarm.world.files).toHaveLength(3);
    expect(swarm.world.files.filter(({ name }) => before.includes(name))).toHaveLength(1);
  });

  it('writes no value of a Secret into records and names', () => {
    const { swarm } = served();
    const { records, files, services } = swarm.world;
    const text = JSON.stringify({ records, files, services });
    expect(text).not.toContain('s3cret');
    expect(text).not.toContain(Buffer.from('s3cret').toString('base64'));
  });

  it('puts right what somebody altered, by the version that it saw', () => {
    const { swarm, resources } = served();
    const [service] = swarm.world.services;
    const spec = service?.spec as ServiceSpec;
    swarm.world.services = swarm.world.services.map((each) => ({
      ...each,
      version: 9,
      spec: { ...spec, Mode: { Replicated: { Replicas: 7 } } },
    }));
    const { done } = swarm.settle([desire(resources)]);
    expect(done.find(({ kind }) => kind === 'updateService')).toMatchObject({
      version: 9,
      why: 'Mode.Replicated.Replicas',
    });
  });

  it('does not mind what Swarm adds by itself', () => {
    const { swarm, resources } = served();
    swarm.world.services = swarm.world.services.map((each) => {
      const spec = each.spec as ServiceSpec;
      const { Groups: _none, ...container } = spec.TaskTemplate.ContainerSpec;
      const template = {
        ...spec.TaskTemplate,
        ContainerSpec: { ...container, Isolation: 'default' },
      };
      return { ...each, spec: { ...spec, TaskTemplate: { ...template, Runtime: 'container' } } };
    });
    expect(swarm.settle([desire(resources)]).done).toEqual([]);
  });

  it('tells a service that was rolled back as failed, tries it no more, and again after another release', () => {
    const { swarm, resources } = served();
    const [good] = swarm.world.services;
    const bad = desire([page('one'), key('s3cret'), web({ image: 'web:2' })]);
    // Killed before the new tasks were seen to run.
    swarm.world.tasks = [];
    const { done } = swarm.settle([bad]);
    const [record] = swarm.world.records.filter(({ key: of }) => of.startsWith('Deployment'));
    expect(record?.tried).toBeUndefined();
    swarm.world.records = swarm.world.records.map((each) =>
      each === record ? { ...each, tried: triedIn(done) } : each,
    );
    goBack(swarm, good);
    const failed = swarm.settle([bad]);
    expect(failed.done).toEqual([]);
    expect(failed.owners[0]).toMatchObject({ serving: false });
    expect(failed.owners[0]?.failure).toContain('Swarm went back to the one before');
    expect(swarm.settle([desire(resources)]).owners[0]).toMatchObject({ serving: true });
    expect(kinds(swarm.settle([bad]).done)).toContain('updateService');
  });

  it('holds deletions back that are too many', () => {
    const { swarm } = served();
    const guard = { share: 0.3, atLeast: 2 };
    const { done, owners } = swarm.settle([{ ...desire([]), guard }]);
    expect(kinds(done)).toEqual(['record', 'record', 'record']);
    expect(owners[0]?.held).toHaveLength(3);
    expect(swarm.world.services).toHaveLength(1);
    swarm.settle([desire([])]);
    expect(swarm.world).toMatchObject({ services: [], records: [], files: [] });
  });

  it('leaves what others own, and tells of who is not asked about', () => {
    const { swarm } = served();
    const { owners, done } = swarm.settle([desire([page('mine')], 'other/test')]);
    expect(done).toEqual([]);
    expect(owners[0]?.failure).toContain('belongs to shop/test');
    expect(swarm.settle([desire([], 'other/test')]).done).toEqual([]);
    expect(swarm.world.services).toHaveLength(1);
  });

  it('does nothing for a suspended owner', () => {
    const swarm = simulateSwarm();
    swarm.settle([]);
    const { done, owners } = swarm.settle([
      { ...desire([web({ files: false })]), suspended: true },
    ]);
    expect(done).toEqual([]);
    expect(owners[0]?.plan).toMatchObject([{ action: 'create' }]);
  });

  it('runs a Job once, though its service is gone, and anew when it has changed', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([JOB])]);
    swarm.world.services = [];
    swarm.world.tasks = [];
    const { done, owners } = swarm.settle([desire([JOB])]);
    expect(done).toEqual([]);
    expect(owners[0]).toMatchObject({ serving: true });
    const changed = structuredClone(JOB) as unknown as {
      spec: { template: { spec: { containers: { image: string }[] } } };
    };
    changed.spec.template.spec.containers = [{ name: 'main', image: 'web:2' } as never];
    expect(kinds(swarm.settle([desire([changed as unknown as Resource])]).done)).toContain(
      'createService',
    );
  });

  it('ends a Job of which more has failed than may, and does not run it again', () => {
    const swarm = simulateSwarm();
    swarm.settle([desire([JOB])]);
    swarm.world.records = swarm.world.records.map(({ done: _none, ...record }) => record);
    swarm.world.tasks = Array.from({ length: 7 }, (_, index) => ({
      ...(swarm.world.tasks[0] as LiveTask),
      id: `t${index}`,
      state: 'failed' as const,
      exitCode: 4,
    }));
    const { done, owners } = swarm.settle([desire([JOB])]);
    expect(kinds(done)).toEqual(['record', 'removeService']);
    expect(owners[0]?.failure).toBe('Job migrate: it has failed: exit code 4, 6 restarts');
    expect(swarm.settle([desire([JOB])]).done).toEqual([]);
  });

  it.each([
    {
      state: 'pending',
      error: 'no suitable node (insufficient resources on 1 node)',
      says: 'Unschedulable: no suitable node (insufficient resources on 1 node)',
    },
    { state: 'preparing', error: '', says: '1 of 2 ready' },
  ] as const)('says why a task is $state', ({ state, error, says }) => {
    const { swarm, resources } = served();
    swarm.world.tasks = swarm.world.tasks.map((task, index) =>
      index === 0 ? { ...task, state, error } : task,
    );
    const { owners } = swarm.settle([desire(resources)]);
    const health = owners[0]?.resources.at(-1)?.health;
    expect(health?.status).toBe('Progressing');
    expect(health?.reason).toContain(says);
  });

  describe('when a server is down', () => {
    /** The first replica was on it: Swarm begins another, and hears of the one there no more. */
    function lose(swarm: SimulatedSwarm, next: LiveTask['state']): void {
      const [first, ...others] = swarm.world.tasks;
      if (first === undefined) throw new Error('there is no task');
      const lost: LiveTask = { ...first, desired: 'shutdown', lostWith: 'w3' };
      const again: LiveTask = { ...first, id: 'again', state: next, createdAt: swarm.now };
      swarm.world.tasks = [lost, again, ...others];
    }

    it('says which, until what was there is ready elsewhere', () => {
      const { swarm, resources } = served();
      lose(swarm, 'preparing');
      const { owners } = swarm.settle([desire(resources)]);
      expect(owners[0]).toMatchObject({ serving: false });
      expect(owners[0]).not.toHaveProperty('failure');
      expect(owners[0]?.resources.at(-1)?.health).toEqual({
        status: 'Degraded',
        reason: 'server w3 is down, a replica is begun elsewhere; 1 of 2 ready',
      });
    });

    it('serves once that is ready, and releases go on', () => {
      const { swarm, resources } = served();
      lose(swarm, 'running');
      expect(swarm.settle([desire(resources)]).owners[0]).toMatchObject({ serving: true });
      const [lost] = swarm.world.tasks;
      const next = desire([page('one'), key('s3cret'), web({ image: 'web:2' })]);
      swarm.settle([next]);
      // It is told of as running until the server is back.
      if (lost !== undefined) swarm.world.tasks = [lost, ...swarm.world.tasks];
      expect(swarm.settle([next]).owners[0]).toMatchObject({ serving: true });
    });

    it.each<{ about: string; task: Partial<LiveTask> }>([
      { about: 'is down', task: { desired: 'shutdown', lostWith: 'w3' } },
      { about: 'was drained', task: { desired: 'shutdown', state: 'shutdown' } },
    ])(
      'has nothing wait for a server that $about and has what belongs on all',
      ({ task: over }) => {
        const swarm = simulateSwarm();
        const { spec, ...others } = web();
        const { replicas: _none, ...rest } = spec as { replicas?: number };
        const daemon: Resource = { ...others, kind: 'DaemonSet', spec: rest };
        const resources = [page('one'), key('s3cret'), daemon];
        swarm.settle([desire(resources)]);
        const [task] = swarm.world.tasks;
        if (task === undefined) throw new Error('there is no task');
        swarm.world.tasks = [task, { ...task, id: 'other', slot: 'w3', ...over }];
        const [owner] = swarm.settle([desire(resources)]).owners;
        expect(owner).toMatchObject({ serving: true });
        expect(owner?.resources.at(-1)?.summary).toBe('1 of 1 ready');
      },
    );
  });

  it.each(['paused', 'rollback_paused'])('never calls %s a success', (state) => {
    const { swarm, resources } = served();
    swarm.world.services = swarm.world.services.map((each) => ({
      ...each,
      update: { state, message: 'update paused due to failure' },
    }));
    const { owners } = swarm.settle([desire(resources)]);
    expect(owners[0]).toMatchObject({ serving: false });
    expect(owners[0]?.failure).toContain('Swarm paused the update');
  });
});

/** What the record says while the update is under way. */
function triedIn(done: readonly SwarmStep[]): string {
  return done.flatMap((step) => (step.kind === 'record' ? (step.tried ?? []) : []))[0] ?? '';
}

function goBack(
  swarm: SimulatedSwarm,
  good: SimulatedSwarm['world']['services'][number] | undefined,
): void {
  swarm.world.services = swarm.world.services.map((each) => ({
    ...each,
    spec: good?.spec,
    update: { state: 'rollback_completed', message: 'rollback completed' },
  }));
  const spec = good?.spec as ServiceSpec | undefined;
  const hash = spec?.TaskTemplate.ContainerSpec.Labels['windlass.dev/template-hash'];
  swarm.world.tasks = swarm.world.tasks.map((task) => ({ ...task, templateHash: hash ?? '' }));
}
