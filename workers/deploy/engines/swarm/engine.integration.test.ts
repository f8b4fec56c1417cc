import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { ListedService, ListedTask } from './listed.ts';
import { createTestEngine, desire, never, settle, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
});
afterAll(() => swarm?.stop());

const PATIENCE = { timeout: 60_000 };
const SLEEP = 'trap exit TERM; while true; do sleep 1 & wait; done';

function deployment(
  name: string,
  script: string,
  { spec = {}, pod = {}, container = {} }: Record<string, object> = {},
): Resource {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            { name: 'web', image: 'busybox:1.36', command: ['sh', '-c', script], ...container },
          ],
          ...pod,
        },
      },
      ...spec,
    },
  };
}

function config(text: string): Resource {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'page' }, data: { text } };
}

const MOUNTED = {
  container: {
    env: [
      { name: 'BRACES', value: '{{.Node.ID}}' },
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    ],
    volumeMounts: [
      { name: 'page', mountPath: '/page' },
      { name: 'key', mountPath: '/key' },
    ],
  },
  pod: {
    volumes: [
      { name: 'page', configMap: { name: 'page' } },
      { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
    ],
  },
};
const SECRET: Resource = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'key' },
  stringData: { word: 's3cret', none: '' },
};
const TELL = `cat /page/text /key/word; stat -c %a /key/word; wc -c < /key/none; echo "$BRACES $POD"; ${SLEEP}`;

async function logsOf(service: string): Promise<string> {
  const [task] = (await swarm.list<ListedTask>('/tasks')).filter(
    ({ ServiceID, DesiredState }) => ServiceID === service && DesiredState === 'running',
  );
  const id = task?.Status.ContainerStatus?.ContainerID ?? '';
  const path = `/containers/${id}/logs`;
  const query = { stdout: true };
  return String(await callDocker(swarm.docker, { method: 'GET', path, query, signal: never }));
}

it('makes a service of a Deployment, with its files, and restarts nothing without a reason', async () => {
  const engine = swarm.startEngine();
  const wanted = [config('one\n'), SECRET, deployment('web', TELL, MOUNTED)];
  const status = await settle(engine, desire(wanted));
  expect(status.resources.at(-1)).toMatchObject({ summary: '1 of 1 ready' });
  const [service] = await swarm.list<ListedService>('/services');
  const said = await logsOf(service?.ID ?? '');
  expect(said).toContain('one');
  expect(said).toContain('s3cret');
  expect(said).toContain('400');
  expect(said).toMatch(/\{\{\.Node\.ID\}\} web-[0-9a-f]+\.1\.\w+/);

  const again = await engine.reconcile([{ ...desire(wanted), release: 'r2' }], never);
  expect(again.done).toEqual([]);
  expect((await swarm.list<ListedService>('/services'))[0]?.Version).toEqual(service?.Version);

  for (const text of ['two\n', 'three\n'])
    await settle(engine, desire([config(text), SECRET, deployment('web', TELL, MOUNTED)]));
  expect(await logsOf(service?.ID ?? '')).toContain('three');
  // The one before is kept for Swarm to go back to.
  const files = await swarm.list<{ Spec: { Labels: Record<string, string> } }>('/configs');
  expect(files.filter(({ Spec }) => Spec.Labels['windlass.dev/role'] === 'file')).toHaveLength(2);

  await settle(engine, desire([]));
  for (const path of ['/services', '/configs', '/secrets'])
    expect(await swarm.list(path)).toEqual([]);
});

it('puts right what somebody altered, and leaves alone what is not ours', async () => {
  const engine = swarm.startEngine();
  const other = swarm.startEngine();
  await settle(other, desire([deployment('web', SLEEP)]));
  const [theirs] = await swarm.list<ListedService>('/services');
  const wanted = desire([deployment('web', SLEEP)]);
  await settle(engine, wanted);
  const ours = (await swarm.list<ListedService>('/services')).find(({ ID }) => ID !== theirs?.ID);
  const scaled = { ...ours?.Spec, Mode: { Replicated: { Replicas: 3 } } };
  const path = `/services/${ours?.ID}/update`;
  const query = { version: ours?.Version.Index ?? 0 };
  await callDocker(swarm.docker, { method: 'POST', path, query, body: scaled, signal: never });
  const plan = await engine.plan(wanted, never);
  expect(plan).toMatchObject([{ action: 'update', reason: expect.stringContaining('Replicas') }]);
  await settle(engine, wanted);
  await settle(engine, desire([]));
  expect((await swarm.list<ListedService>('/services')).map(({ ID }) => ID)).toEqual([theirs?.ID]);
  await settle(other, desire([]));
});

it('finds and looks at pods while those of others go', async () => {
  const engine = swarm.startEngine();
  const kept = desire([deployment('kept', SLEEP)], 'shop/kept');
  await settle(engine, kept);
  const where = { namespace: 'default', workload: 'Deployment/default/kept' };
  let goes = true;
  async function comeAndGo(): Promise<void> {
    for (let round = 0; round < 8; round += 1)
      for (const resources of [[deployment('brief', SLEEP)], []])
        await engine.reconcile([kept, desire(resources, 'shop/brief')], never);
    goes = false;
  }
  async function look(): Promise<void> {
    while (goes) {
      expect(await engine.locate(where, never)).toMatchObject({ container: 'web' });
      expect(await engine.plan(kept, never)).toEqual([]);
    }
  }
  await Promise.all([comeAndGo(), look(), look(), look()]);
  await settle(engine, desire([], 'shop/kept'));
});

it('tells a release that Swarm rolled back as failed, and does not try it again', async () => {
  const engine = swarm.startEngine();
  const good = desire([deployment('web', SLEEP)]);
  await settle(engine, good);
  const bad = desire([deployment('web', 'exit 3')]);
  const { failure } = await settle(engine, bad, (status) => status.failure !== undefined);
  expect(failure).toContain('Swarm went back to the one before: exit code 3');
  const before = await swarm.list<ListedService>('/services');
  expect((await engine.reconcile([bad], never)).done).toEqual([]);
  expect((await swarm.list<ListedService>('/services'))[0]?.Version).toEqual(before[0]?.Version);
  await settle(engine, good);
  await settle(engine, desire([]));
});

it.each([
  {
    what: 'what no server has room for',
    of: { container: { resources: { requests: { memory: '4Ti' } } } },
    script: SLEEP,
    says: /no suitable node \(insufficient resources/,
  },
  {
    what: 'servers that are not there',
    of: { pod: { nodeSelector: { disk: 'ssd' } } },
    script: SLEEP,
    says: /no suitable node \(scheduling constraints not satisfied/,
  },
  {
    what: 'an image that is not there',
    of: { container: { image: '127.0.0.1:1/team/none:1' } },
    script: SLEEP,
    says: /ImagePullBackOff: No such image/,
  },
  {
    what: 'a crash loop',
    of: {},
    script: 'exit 7',
    seconds: 100,
    says: /CrashLoopBackOff: exit code 7/,
  },
])('tells the reason of $what', async ({ of, script, seconds = 4, says }) => {
  const engine = swarm.startEngine();
  const wanted = desire([
    deployment('web', script, { ...of, spec: { progressDeadlineSeconds: seconds } }),
  ]);
  const { failure } = await settle(engine, wanted, (status) => status.failure !== undefined);
  expect(failure).toMatch(says);
  await settle(engine, desire([]));
});

it('does not wait for what is scaled to nothing', async () => {
  const engine = swarm.startEngine();
  const wanted = desire([deployment('web', SLEEP, { spec: { replicas: 0 } })]);
  const { resources } = await settle(engine, wanted);
  expect(resources[0]).toMatchObject({ summary: '0 of 0 ready' });
  await settle(engine, desire([]));
});

it('runs a DaemonSet on each server', async () => {
  const engine = swarm.startEngine();
  const { replicas: _none, ...spec } = deployment('agent', SLEEP)['spec'] as { replicas?: number };
  const daemon: Resource = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent' },
    spec,
  };
  const { resources } = await settle(engine, desire([daemon]));
  expect(resources[0]).toMatchObject({ summary: '1 of 1 ready' });
  await settle(engine, desire([]));
});

it('runs a Job once, and tells one that fails', async () => {
  const engine = swarm.startEngine();
  function job(script: string): Resource {
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate' },
      spec: {
        completions: 2,
        parallelism: 2,
        backoffLimit: 1,
        template: {
          spec: {
            restartPolicy: 'Never',
            containers: [{ name: 'main', image: 'busybox:1.36', command: ['sh', '-c', script] }],
          },
        },
      },
    };
  }
  const { resources } = await settle(engine, desire([job('true')]));
  expect(resources[0]).toMatchObject({ summary: '2 of 2 succeeded' });
  const [service] = await swarm.list<ListedService>('/services');
  await callDocker(swarm.docker, {
    method: 'DELETE',
    path: `/services/${service?.ID}`,
    signal: never,
  });
  await settle(engine, desire([job('true')]));
  expect(await swarm.list('/services')).toEqual([]);
  const failed = await settle(
    engine,
    desire([job('exit 4')]),
    ({ failure }) => failure !== undefined,
  );
  expect(failed.failure).toMatch(/Job migrate: it has failed: exit code 4/);
  await settle(engine, desire([]));
});

it('has a network, a proxy and a name server from when it is declared until it is no more', async () => {
  const installation = 'early';
  async function names(): Promise<string[]> {
    const all = await swarm.list<{ Names: string[]; State: string }>('/containers/json?all=true');
    return all
      .filter(({ Names }) => Names.some((name) => name.endsWith(installation)))
      .map(({ Names, State }) => `${Names.join()} ${State}`)
      .toSorted();
  }
  /** Of its networks. */
  async function encryptions(): Promise<boolean[]> {
    const all = await swarm.list<{ Name: string; Options: object }>('/networks');
    return all
      .filter(({ Name }) => Name.endsWith(installation))
      .map(({ Options }) => 'encrypted' in Options);
  }
  const [plain, encrypted, retired] = [
    swarm.startEngine({ installation }),
    createTestEngine(swarm.docker, { installation, encrypted: true }),
    swarm.startEngine({ installation, declared: false }),
  ];
  const running = ['name-server', 'proxy-sandbox', 'proxy'].map(
    (role) => `/${role}.test-${installation} running`,
  );
  for (const engine of [plain, encrypted]) {
    await expect
      .poll(() => engine.reconcile([], never).then(names, messageOf), PATIENCE)
      .toEqual(running);
    expect(await encryptions()).toEqual([engine === encrypted]);
  }
  const web = deployment('web', SLEEP);
  await settle(encrypted, desire([web]));
  await expect(plain.reconcile([desire([web])], never)).rejects.toThrow(
    'is encrypted and ought not to be',
  );
  // What runs may be deleted all the same.
  await settle(plain, desire([]));
  expect(await swarm.list('/services')).toEqual([]);
  await expect
    .poll(() => plain.reconcile([], never).then(encryptions, messageOf), PATIENCE)
    .toEqual([false]);
  const guest = await swarm.docker.createContainer({
    Image: SYSTEM_IMAGES.sandbox,
    Cmd: ['sleep', '1000000'],
    HostConfig: { NetworkMode: `test-${installation}` },
  });
  await guest.start();
  await expect
    .poll(() => retired.reconcile([], never).then(names, messageOf), PATIENCE)
    .toContain(`still to be removed: container ${guest.id.slice(0, 12)} of server `);
  await guest.remove({ force: true });
  await expect
    .poll(() => retired.reconcile([], never).then(names, messageOf), PATIENCE)
    .toEqual([]);
  await expect
    .poll(() => retired.reconcile([], never).then(encryptions, messageOf), PATIENCE)
    .toEqual([]);
  for (const engine of [plain, encrypted, retired]) await engine.close();
});

it('tells what keeps it from that though there is nobody else to tell', async () => {
  const lacking = createTestEngine(swarm.docker, {
    installation: 'lacking',
    images: { ...SYSTEM_IMAGES, proxy: '127.0.0.1:1/nothing:1' },
  });
  await expect
    .poll(() => lacking.reconcile([], never).then(() => 'nothing', messageOf), PATIENCE)
    .toContain('127.0.0.1:1/nothing:1');
  await lacking.close();
  const retired = swarm.startEngine({ installation: 'lacking', declared: false });
  await retired.reconcile([], never);
  const left = await swarm.list<{ Names: string[] }>('/containers/json?all=true');
  expect(left.filter(({ Names }) => Names.some((name) => name.endsWith('lacking')))).toEqual([]);
  await retired.close();
});
