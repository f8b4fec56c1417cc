import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createDockerEngine } from './engine.ts';

const installation = randomBytes(4).toString('hex');
const docker = connectDocker('unix:///var/run/docker.sock');
const never = new AbortController().signal;
const NODE_PORT = 31_480;
const engines: Engine[] = [];

function startEngine(name = installation): Engine {
  const cluster = Cluster.parse({
    apiVersion: 'windlass.dev/v1',
    kind: 'Cluster',
    metadata: { name: 'test' },
    spec: { engine: 'docker', servers: [{ name: 'me', docker: 'unix:///var/run/docker.sock' }] },
  });
  const engine = createDockerEngine({
    cluster,
    docker,
    installation: name,
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
  });
  engines.push(engine);
  return engine;
}

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

function state(resources: Resource[]): DesiredState {
  return { owner: 'shop/test', release: 'r1', resources };
}

/** Passes until the owner serves (or fails), as the controller makes them. */
async function settle(
  engine: Engine,
  desired: DesiredState,
  until: (status: OwnerStatus) => boolean = ({ serving }) => serving,
  timeoutMs = 40_000,
): Promise<OwnerStatus> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const { owners } = await engine.reconcile([desired], never);
    const [status] = owners;
    if (status !== undefined && until(status)) return status;
    if (Date.now() > end)
      throw new Error(`did not settle: ${JSON.stringify(status, undefined, 1)}`);
    await sleep(100);
  }
}

interface Listed {
  Id: string;
  Names: string[];
  Labels: Record<string, string>;
  State: string;
}

async function containers(role: string): Promise<Listed[]> {
  const filters = JSON.stringify({
    label: [`windlass.dev/installation=${installation}`, `windlass.dev/role=${role}`],
  });
  return callDocker<Listed[]>(docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters },
    signal: never,
  });
}

async function named(container: string): Promise<Listed[]> {
  return (await containers('container')).filter(
    ({ Labels }) => Labels['windlass.dev/container'] === container,
  );
}

async function firstWeb(): Promise<string> {
  const [web] = await named('web');
  if (web === undefined) throw new Error('no web container');
  return web.Id;
}

async function inWeb(command: string): Promise<string> {
  const { stdout } = await runInContainer(
    docker,
    { container: await firstWeb(), command: ['sh', '-c', command] },
    never,
  );
  return stdout.trim();
}

async function get(path = '/version'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${NODE_PORT}${path}`, {
    signal: AbortSignal.timeout(3_000),
    headers: { connection: 'close' },
  });
  return (await response.text()).trim();
}

afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
  for (const kind of ['container', 'sandbox', 'proxy', 'name-server', 'edge', 'proxy-sandbox']) {
    for (const { Id } of await containers(kind)) {
      await callDocker(docker, {
        method: 'DELETE',
        path: `/containers/${Id}`,
        query: { force: true, v: true },
        signal: never,
      }).catch(() => undefined);
    }
  }
  const filters = JSON.stringify({ label: [`windlass.dev/installation=${installation}`] });
  const { Volumes } = await callDocker<{ Volumes: { Name: string }[] | null }>(docker, {
    method: 'GET',
    path: '/volumes',
    query: { filters },
    signal: never,
  });
  for (const { Name } of Volumes ?? [])
    await callDocker(docker, { method: 'DELETE', path: `/volumes/${Name}`, signal: never });
  await callDocker(docker, {
    method: 'DELETE',
    path: `/networks/test-${installation}`,
    signal: never,
  }).catch(() => undefined);
});

describe.sequential('docker engine', () => {
  const engine = startEngine();
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
      await inWeb(
        'wget -q -O- http://web/version; wget -q -O- http://web.shop.svc.cluster.local:80/version; cat /page/index.html /secret/password; echo; echo $PASSWORD',
      ),
    ).toBe('one\none\nhellohunter2\nhunter2');
  });

  it('shares one network namespace among the containers of a pod', async () => {
    const [sidecar] = await named('sidecar');
    const { stdout } = await runInContainer(
      docker,
      {
        container: sidecar?.Id ?? '',
        command: ['wget', '-q', '-O-', 'http://127.0.0.1:8080/version'],
      },
      never,
    );
    expect(stdout.trim()).toBe('one');
  });

  it('does nothing when nothing is to be done', async () => {
    const since = Math.floor(Date.now() / 1_000);
    await sleep(1_100);
    const { done } = await engine.reconcile([state(app())], never);
    expect(done).toEqual([]);
    const until = Math.ceil(Date.now() / 1_000);
    const filters = JSON.stringify({ label: [`windlass.dev/installation=${installation}`] });
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
    expect(await inWeb('cat /page/index.html')).toBe('changed');
    expect(await firstWeb()).toBe(before);
  });

  it.each([
    {
      name: 'stopped',
      harm: (id: string) =>
        callDocker(docker, {
          method: 'POST',
          path: `/containers/${id}/stop`,
          query: { t: 1 },
          signal: never,
        }),
    },
    {
      name: 'killed',
      harm: (id: string) =>
        callDocker(docker, { method: 'POST', path: `/containers/${id}/kill`, signal: never }),
    },
    {
      name: 'removed',
      harm: (id: string) =>
        callDocker(docker, {
          method: 'DELETE',
          path: `/containers/${id}`,
          query: { force: true },
          signal: never,
        }),
    },
    {
      name: 'paused',
      harm: (id: string) =>
        callDocker(docker, { method: 'POST', path: `/containers/${id}/pause`, signal: never }),
    },
    {
      name: 'given more memory',
      harm: (id: string) =>
        callDocker(docker, {
          method: 'POST',
          path: `/containers/${id}/update`,
          body: { Memory: 2 ** 26, MemorySwap: 2 ** 26 },
          signal: never,
        }),
    },
  ])('puts back a container that was $name by hand', async ({ harm }) => {
    await harm(await firstWeb());
    await sleep(300);
    await settle(engine, state(app({ page: 'changed' })));
    const running = await named('web');
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
    const [sandbox] = await containers('sandbox');
    await callDocker(docker, {
      method: 'POST',
      path: `/containers/${sandbox?.Id ?? ''}/restart`,
      query: { t: 1 },
      signal: never,
    });
    await sleep(300);
    await settle(engine, state(app({ page: 'changed' })));
    for (const { Id } of await named('web')) {
      const { stdout } = await runInContainer(
        docker,
        { container: Id, command: ['cat', '/page/index.html', '/secret/password'] },
        never,
      );
      expect(stdout).toBe('changedhunter2');
    }
    expect(await get()).toBe('one');
  });

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
    const other = startEngine();
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
    const other = startEngine('0'.repeat(8));
    const before = await firstWeb();
    await other.reconcile([state([])], never);
    expect(await firstWeb()).toBe(before);
  });

  it('deletes everything that is no longer wanted', async () => {
    await settle(engine, state([]), ({ serving }) => serving);
    const end = Date.now() + 20_000;
    while ((await containers('container')).length > 0 && Date.now() < end) {
      await engine.reconcile([state([])], never);
      await sleep(200);
    }
    await settle(engine, state([]));
    expect(await containers('sandbox')).toEqual([]);
    await expect(get()).rejects.toThrow('fetch failed');
  });
});
