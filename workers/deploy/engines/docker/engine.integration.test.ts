import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import type { DesiredState } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import {
  ask,
  createDockerCluster,
  desire,
  docker,
  execIn,
  firstOf,
  harm,
  never,
  settle,
} from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const NODE_PORT = await freeNodePort();
const cluster = createDockerCluster();

interface Shape {
  replicas?: number;
  version?: string;
  page?: string;
  image?: string;
}

function app({
  replicas = 2,
  version = 'one',
  page = 'hello',
  image = SYSTEM_IMAGES.sandbox,
}: Shape = {}): Resource[] {
  const web = {
    name: 'web',
    image,
    command: [
      'sh',
      '-c',
      'echo "$VERSION" > /tmp/version; cp /tmp/version /data/version; exec httpd -f -p 8080 -h /data',
    ],
    env: [
      { name: 'VERSION', value: version },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } },
    ],
    ports: [{ name: 'http', containerPort: 8080 }],
    volumeMounts: [
      { name: 'page', mountPath: '/page' },
      { name: 'data', mountPath: '/data' },
      { name: 'secret', mountPath: '/secret' },
    ],
    readinessProbe: { httpGet: { path: '/version', port: 'http' }, periodSeconds: 1 },
    resources: { limits: { memory: '32Mi' } },
  };
  const sidecar = {
    name: 'sidecar',
    image,
    command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done'],
  };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web', namespace: 'shop' },
      data: { 'index.html': page },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web', namespace: 'shop' },
      stringData: { password: 'hunter2' },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas,
        progressDeadlineSeconds: 30,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 5,
            containers: [web, sidecar],
            volumes: [
              { name: 'page', configMap: { name: 'web' } },
              { name: 'data', emptyDir: {} },
              { name: 'secret', secret: { secretName: 'web' } },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        type: 'NodePort',
        selector: { app: 'web' },
        ports: [{ port: 80, targetPort: 'http', nodePort: NODE_PORT }],
      },
    },
  ];
}

async function firstWeb(): Promise<string> {
  return firstOf(await cluster.named('web')).Id;
}

function get(path = '/version'): Promise<string> {
  return ask(NODE_PORT, path);
}

function state(resources: Resource[]): DesiredState {
  return desire(resources);
}

async function takeOffNetwork(container: string): Promise<void> {
  await callDocker(docker, {
    method: 'POST',
    path: `/networks/test-${cluster.installation}/disconnect`,
    body: { Container: container },
    signal: never,
  });
}

afterAll(() => cluster.remove());

describe.sequential('docker engine', () => {
  const engine = cluster.startEngine();
  const watching = new AbortController();
  void engine.watch(() => undefined, watching.signal);
  afterAll(() => watching.abort());

  it('brings an application to serve', async () => {
    const plan = await engine.plan(state(app()), never);
    expect(plan.map(({ action, key }) => `${action} ${key}`)).toEqual([
      'create Namespace//shop',
      'create ConfigMap/shop/web',
      'create Secret/shop/web',
      'create Service/shop/web',
      'create Deployment/shop/web',
    ]);
    const status = await settle(engine, state(app()));
    expect(status.plan).toEqual([]);
    expect(await get()).toBe('one');
    expect(
      await execIn(
        await firstWeb(),
        'sh',
        '-c',
        'wget -q -O- http://web/version; wget -q -O- http://web.shop.svc.cluster.local:80/version; cat /page/index.html /secret/password; echo; echo $PASSWORD',
      ),
    ).toBe('one\none\nhellohunter2\nhunter2');
  });

  it('shares one network namespace among the containers of a pod', async () => {
    const sidecar = firstOf(await cluster.named('sidecar'));
    const page = await execIn(sidecar.Id, 'wget', '-q', '-O-', 'http://127.0.0.1:8080/version');
    expect(page).toBe('one');
  });

  it('bounds what each container that it makes may log', async () => {
    const filters = JSON.stringify({
      label: [`windlass.dev/installation=${cluster.installation}`],
    });
    const listed = await callDocker<{ Id: string }[]>(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters },
      signal: never,
    });
    // Sandbox, web and sidecar of two pods, and the cluster's own.
    expect(listed.length).toBeGreaterThanOrEqual(9);
    for (const { Id } of listed) {
      const made = await callDocker<{ HostConfig: { LogConfig: unknown } }>(docker, {
        method: 'GET',
        path: `/containers/${Id}/json`,
        signal: never,
      });
      const Config = { 'max-size': '10m', 'max-file': '3' };
      expect(made.HostConfig.LogConfig).toEqual({ Type: 'json-file', Config });
    }
  });

  it('does nothing when nothing is to be done', async () => {
    const since = Math.floor(Date.now() / 1_000);
    await sleep(1_100);
    const { done } = await engine.reconcile([state(app())], never);
    expect(done).toEqual([]);
    const until = Math.ceil(Date.now() / 1_000);
    const filters = JSON.stringify({
      label: [`windlass.dev/installation=${cluster.installation}`],
    });
    const events = await callDocker<unknown>(docker, {
      method: 'GET',
      path: '/events',
      query: { since: since + 1, until, filters },
      signal: never,
    });
    expect(String(events)).not.toMatch(/"Action":"(create|start|die|rename)"/);
  });

  it('changes files of running pods without a restart', async () => {
    const before = await firstWeb();
    await settle(engine, state(app({ page: 'changed' })));
    expect(await execIn(await firstWeb(), 'cat', '/page/index.html')).toBe('changed');
    expect(await firstWeb()).toBe(before);
  });

  it.each([
    { name: 'stopped', how: 'stop' as const },
    { name: 'killed', how: 'kill' as const },
    { name: 'removed', how: 'remove' as const },
    { name: 'paused', how: 'pause' as const },
    { name: 'given more memory', how: { memory: 2 ** 26 } },
    { name: 'renamed', how: { rename: `mine-${cluster.installation}` } },
  ])('puts back a container that was $name by hand', async ({ how }) => {
    await harm(await firstWeb(), how);
    await settle(engine, state(app({ page: 'changed' })));
    const running = await cluster.named('web');
    expect(running).toHaveLength(2);
    expect(running.every(({ State }) => State === 'running')).toBe(true);
    const { HostConfig } = await callDocker<{ HostConfig: { Memory: number } }>(docker, {
      method: 'GET',
      path: `/containers/${await firstWeb()}/json`,
      signal: never,
    });
    expect(HostConfig.Memory).toBe(2 ** 25);
  });

  it('refills the files in memory of a sandbox that was restarted by hand', async () => {
    await harm(firstOf(await cluster.parts('sandbox')).Id, 'restart');
    await settle(engine, state(app({ page: 'changed' })));
    for (const { Id } of await cluster.named('web')) {
      const files = await execIn(Id, 'cat', '/page/index.html', '/secret/password');
      expect(files).toBe('changedhunter2');
    }
    expect(await get()).toBe('one');
  });

  it('makes a pod anew whose sandbox was removed by hand', async () => {
    await harm(firstOf(await cluster.parts('sandbox')).Id, 'remove');
    await settle(engine, state(app({ page: 'changed' })));
    expect(await cluster.parts('sandbox')).toHaveLength(2);
    expect(await get()).toBe('one');
  });

  it('connects a sandbox again that was taken off the network', async () => {
    const sandbox = firstOf(await cluster.parts('sandbox'));
    await takeOffNetwork(sandbox.Id);
    const status = await settle(engine, state(app({ page: 'changed' })));
    expect(status.resources.at(-1)?.summary ?? '').not.toBe('');
    for (const { Id } of await cluster.named('web'))
      expect(await execIn(Id, 'wget', '-q', '-O-', 'http://web.shop/version')).toBe('one');
  });

  it('makes the proxy anew when it was taken off the network', async () => {
    const sandbox = firstOf(await cluster.parts('proxy-sandbox'));
    await takeOffNetwork(sandbox.Id);
    await settle(engine, state(app({ page: 'changed' })));
    for (const { Id } of await cluster.named('web'))
      expect(await execIn(Id, 'wget', '-q', '-O-', 'http://web.shop/version')).toBe('one');
  });

  it.each(['proxy', 'name-server', 'edge', 'proxy-sandbox'])(
    'puts the %s back, whatever was done to it',
    async (role) => {
      for (const how of [
        'stop',
        'pause',
        'restart',
        { rename: `own-${role}` },
        'remove',
      ] as const) {
        await harm(firstOf(await cluster.parts(role)).Id, how);
        await settle(engine, state(app({ page: 'changed' })));
        const part = firstOf(await cluster.parts(role));
        expect([how, part.State]).toEqual([how, 'running']);
        expect(await get()).toBe('one');
        expect(await execIn(await firstWeb(), 'wget', '-q', '-O-', 'http://web/version')).toBe(
          'one',
        );
      }
    },
  );

  it('rolls to a new version without losing a request', async () => {
    const results = { good: 0, lost: [] as string[] };
    let rolling = true;
    async function ask(): Promise<void> {
      while (rolling) {
        await get().then(
          () => (results.good += 1),
          (error: unknown) => results.lost.push(String(error)),
        );
      }
    }
    const asking = [ask(), ask()];
    await settle(engine, state(app({ version: 'two', page: 'changed' })));
    await settle(engine, state(app({ version: 'three', page: 'changed' })));
    rolling = false;
    await Promise.all(asking);
    expect(results.lost).toEqual([]);
    expect(results.good).toBeGreaterThan(50);
    expect(await get()).toBe('three');
  });

  it('keeps the old version serving, and says why, when an image cannot be had', async () => {
    const failed = await settle(
      engine,
      state(app({ version: 'four', page: 'changed', image: '127.0.0.1:9/nothing:1' })),
      ({ failure }) => failure !== undefined,
    );
    expect(failed.failure).toMatch(
      /container (web|sidecar): (ErrImagePull|ImagePullBackOff): .*127\.0\.0\.1:9/,
    );
    expect(await get()).toBe('three');
    await settle(engine, state(app({ version: 'three', page: 'changed' })));
  });

  it('goes on where a worker was killed', async () => {
    const other = cluster.startEngine();
    const stopped = new AbortController();
    const cut = engine
      .reconcile([state(app({ version: 'five', page: 'changed' }))], stopped.signal)
      .catch(() => undefined);
    await sleep(150);
    stopped.abort(new Error('killed'));
    await cut;
    await settle(other, state(app({ version: 'five', page: 'changed' })));
    expect(await get()).toBe('five');
    await other.close();
  });

  it('leaves what another installation made alone', async () => {
    const other = cluster.startEngine({ installation: '0'.repeat(8) });
    const before = await firstWeb();
    await other.reconcile([state([])], never);
    expect(await firstWeb()).toBe(before);
  });

  it('deletes everything that is no longer wanted, and then its own parts', async () => {
    const end = Date.now() + 30_000;
    while ((await cluster.parts('proxy')).length > 0 && Date.now() < end) {
      await engine.reconcile([state([])], never);
      await sleep(200);
    }
    for (const role of ['container', 'sandbox', 'proxy', 'name-server', 'edge', 'proxy-sandbox'])
      expect([role, await cluster.parts(role)]).toEqual([role, []]);
    expect(await cluster.volumes()).toEqual([]);
    await expect(get()).rejects.toThrow('fetch failed');
    expect(await engine.plan(state([]), never)).toEqual([]);
  });
});
