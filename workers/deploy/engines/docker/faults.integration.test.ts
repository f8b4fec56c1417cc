import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
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

const OWN_PORT = await freeNodePort();
const OTHERS_PORT = await freeNodePort();

interface Shape {
  name: string;
  command?: string;
  probe?: object;
  nodePort?: number;
}

function server({ name, command, probe, nodePort }: Shape): Resource[] {
  const serve = `mkdir -p /w; echo ${name} > /w/index.html; exec httpd -f -p 80 -h /w`;
  const container = {
    name: 'main',
    image: SYSTEM_IMAGES.sandbox,
    command: ['sh', '-c', command ?? serve],
    ...(probe === undefined ? {} : { readinessProbe: probe }),
  };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      progressDeadlineSeconds: 60,
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  };
  if (nodePort === undefined) return [deployment];
  const ports = [{ port: 80, nodePort }];
  return [deployment, service(name, { type: 'NodePort', selector: { app: name }, ports })];
}

function service(name: string, spec: object): Resource {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

describe.sequential('docker engine, when something is wrong', () => {
  const cluster = createDockerCluster();
  const engine = cluster.startEngine();
  afterAll(() => cluster.remove());

  it('sends no request to a pod before its probe succeeds', async () => {
    const probe = { httpGet: { path: '/ready', port: 80 }, periodSeconds: 1, failureThreshold: 1 };
    const desired = desire(server({ name: 'gated', probe, nodePort: OWN_PORT }));
    const waiting = await settle(engine, desired, ({ resources }) =>
      resources.some(({ health }) => health.reason.includes('HTTP 404')),
    );
    expect(waiting.serving).toBe(false);
    await expect(ask(OWN_PORT)).rejects.toThrow('fetch failed');
    const { Id } = firstOf(await cluster.named('main'));
    await execIn(Id, 'touch', '/w/ready');
    await settle(engine, desired);
    expect(await ask(OWN_PORT)).toBe('gated');
    await execIn(Id, 'rm', '/w/ready');
    await settle(engine, desired, ({ serving }) => !serving);
    await settle(engine, desired, ({ plan }) => plan.length === 0);
    await expect(ask(OWN_PORT)).rejects.toThrow('fetch failed');
    await execIn(Id, 'touch', '/w/ready');
    await settle(engine, desired);
  });

  it('keeps what served in traffic when the worker is another one', async () => {
    const probe = { httpGet: { path: '/ready', port: 80 }, periodSeconds: 1, failureThreshold: 1 };
    const desired = desire(server({ name: 'gated', probe, nodePort: OWN_PORT }));
    const other = cluster.startEngine();
    const { owners, done } = await other.reconcile([desired], never);
    expect(done).toEqual([]);
    expect(owners[0]?.serving).toBe(true);
    expect(await ask(OWN_PORT)).toBe('gated');
    await other.close();
    await settle(engine, desire([]));
  });

  it('loses what a container that ends had taken, and no other request', async () => {
    const end = "trap 'exit 1' TERM; httpd -f -p 80 -h /w & wait $!";
    const command = `mkdir -p /w; cat /proc/sys/kernel/random/uuid > /w/index.html; ${end}`;
    const probe = { httpGet: { path: '/', port: 80 }, periodSeconds: 1 };
    const [deployment, service] = server({ name: 'ends', command, probe, nodePort: OWN_PORT });
    const text = JSON.stringify(deployment).replace('"spec":{', '"spec":{"replicas":2,');
    const desired = desire([JSON.parse(text) as Resource, ...(service ? [service] : [])]);
    await settle(engine, desired);
    const pages = new Set<string>();
    const lost: string[] = [];
    const asking = new AbortController();
    async function askOn(): Promise<void> {
      while (!asking.signal.aborted)
        await ask(OWN_PORT).then(
          (page) => pages.add(page),
          (error: unknown) => lost.push(String(error)),
        );
    }
    const askers = [askOn(), askOn()];
    await until(() => pages.size === 2, 'both pods to serve');
    for (const how of ['ends itself', 'killed']) {
      const { Id } = firstOf(await cluster.named('main'));
      const before = pages.size;
      if (how === 'killed') await harm(Id, 'kill');
      else await execIn(Id, 'sh', '-c', 'kill -TERM 1');
      await settle(engine, desired);
      await until(() => pages.size > before, 'the container to serve again');
    }
    asking.abort();
    await Promise.all(askers);
    // Each asker has one request under way.
    expect(lost.length).toBeLessThanOrEqual(2 * askers.length);
    await settle(engine, desire([]));
  });

  it('leaves a port that another program has out, and tells its owner alone', async () => {
    const squatter = createServer().listen(OTHERS_PORT, '0.0.0.0');
    await once(squatter, 'listening');
    const good = desire(server({ name: 'good', nodePort: OWN_PORT }), 'good/test');
    const bad = desire(server({ name: 'bad', nodePort: OTHERS_PORT }), 'bad/test');
    try {
      await settle(engine, [good, bad]);
      expect(await ask(OWN_PORT)).toBe('good');
      const status = await settle(engine, [bad, good], ({ failure }) => failure !== undefined);
      expect(status).toMatchObject({ owner: 'bad/test', serving: false });
      expect(status.failure).toContain(`port ${OTHERS_PORT} is in use`);
    } finally {
      squatter.close();
    }
    const fresh = cluster.startEngine();
    await settle(fresh, [bad, good]);
    expect([await ask(OWN_PORT), await ask(OTHERS_PORT)]).toEqual(['good', 'bad']);
    await fresh.close();
    await settle(engine, [desire([], 'good/test'), desire([], 'bad/test')]);
  });

  it('tells how a container ends that does not stay up', async () => {
    const crashing = server({ name: 'crashing', command: 'echo no database >&2; exit 3' });
    const status = await settle(engine, desire(crashing), ({ failure }) => failure !== undefined);
    expect(status.failure).toMatch(/CrashLoopBackOff: exit code 3, \d+ restarts.*no database/);
    await settle(engine, desire([]));
  });

  it('tells what Docker refuses to start', async () => {
    const [deployment] = server({ name: 'wrong' });
    const text = JSON.stringify(deployment).replace('"sh"', '"/no/such/program"');
    const wrong = desire([JSON.parse(text) as Resource]);
    const status = await settle(engine, wrong, ({ resources }) =>
      resources.some(({ health }) => health.reason.includes('/no/such/program')),
    );
    expect(status.serving).toBe(false);
    await settle(engine, desire([]));
  });

  it('runs init containers again in another sandbox', async () => {
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const image = SYSTEM_IMAGES.sandbox;
    const spec = {
      terminationGracePeriodSeconds: 0,
      initContainers: [
        { name: 'init', image, command: ['sh', '-c', 'echo init >> /shared/order'], volumeMounts },
      ],
      containers: [
        {
          name: 'main',
          image,
          command: ['sh', '-c', 'echo main >> /shared/order; exec sleep 3600'],
          volumeMounts,
        },
      ],
      volumes: [{ name: 'shared', emptyDir: {} }],
    };
    const template = { metadata: { labels: { app: 'begins' } }, spec };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'begins' },
      spec: { selector: { matchLabels: { app: 'begins' } }, template },
    };
    const desired = desire([deployment]);
    await settle(engine, desired);
    await harm(firstOf(await cluster.parts('sandbox')).Id, 'restart');
    await settle(engine, desired);
    const main = firstOf(await cluster.named('main'));
    expect(await execIn(main.Id, 'cat', '/shared/order')).toBe('init\nmain\ninit\nmain');
    await settle(engine, desire([]));
  });

  it('holds up only the owner whose name somebody else has', async () => {
    const mine = desire(server({ name: 'mine' }), 'mine/test');
    await settle(engine, mine);
    const pod = firstOf(await cluster.named('main'));
    const name = (pod.Names[0] ?? '').slice(1);
    await harm(pod.Id, 'remove');
    const { Id: stranger } = await callDocker<{ Id: string }>(docker, {
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body: { Image: SYSTEM_IMAGES.sandbox },
      signal: never,
    });
    try {
      const status = await settle(engine, mine, ({ failure }) => failure !== undefined);
      expect(status.failure).toContain(`${name} was not made by this installation`);
      const other = desire(server({ name: 'other' }), 'other/test');
      await settle(engine, [other, mine]);
    } finally {
      await harm(stranger, 'remove');
    }
    await settle(engine, mine);
    await settle(engine, [desire([], 'mine/test'), desire([], 'other/test')]);
  });

  it('names the image of its own that is missing', async () => {
    const images = { ...SYSTEM_IMAGES, sandbox: 'windlass-none/sandbox:0' };
    const other = cluster.startEngine({ images });
    const failing = (async (): Promise<string> => {
      const { owners } = await other.reconcile([desire(server({ name: 'a' }), 'a/test')], never);
      return owners[0]?.failure ?? '';
    })().catch(String);
    expect(await failing).toContain('the image windlass-none/sandbox:0');
    await other.close();
  });

  it('tells what a volume driver does not do, and starts no pod without its volume', async () => {
    const storage = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'none' },
      provisioner: 'windlass-none/driver:1',
      reclaimPolicy: 'Retain',
    };
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: {
        storageClassName: 'none',
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Mi' } },
      },
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'writer' },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: SYSTEM_IMAGES.sandbox, command: ['sleep', '86400'] }],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
    };
    const mine = desire([storage, claim, pod], 'mine/test');
    const status = await settle(engine, mine, ({ failure }) => failure !== undefined);
    expect(status.failure).toMatch(/the volume driver windlass-none\/driver:1 made no volume: /);
    expect(status.resources.flatMap(({ pods = [] }) => pods.filter(({ ready }) => ready))).toEqual(
      [],
    );
    await settle(engine, desire([], 'mine/test'));
  });

  it('keeps from their Services those alone that need an image that is missing', async () => {
    const [repo, tag] = ['127.0.0.1:1/nginx', cluster.installation];
    const [udpProxy, recordServer] = [`${repo}:${tag}`, '127.0.0.1:1/unbound:none'];
    const lacking = cluster.startEngine({ images: { ...SYSTEM_IMAGES, udpProxy, recordServer } });
    const clock = service('clock', {
      selector: { app: 'other' },
      ports: [{ port: 123, protocol: 'UDP' }],
    });
    const alias = service('alias', { type: 'ExternalName', externalName: 'example.com' });
    const all = [
      desire(server({ name: 'other' }), 'other/test'),
      desire([clock], 'clock/test'),
      desire([alias], 'alias/test'),
    ];
    await settle(lacking, all, ({ serving }) => serving);
    const lacks = await settle(lacking, all.toReversed(), ({ failure }) => failure !== undefined);
    expect(lacks).toMatchObject({ serving: false });
    expect(lacks.failure).toContain(
      `the image ${recordServer}, which Windlass itself runs, is not on this Docker host: cannot pull`,
    );
    const { owners } = await lacking.reconcile(all, never);
    expect(owners.map(({ serving }) => serving)).toEqual([true, false, false]);
    expect(owners[1]?.failure).toContain(`the image ${udpProxy}`);
    const gone = [desire([], 'clock/test'), desire([], 'alias/test'), desire([], 'other/test')];
    await callDocker(docker, {
      method: 'POST',
      path: `/images/${SYSTEM_IMAGES.udpProxy}/tag`,
      query: { repo, tag },
      signal: never,
    });
    try {
      await settle(lacking, [desire([clock], 'clock/test'), ...all]);
      await settle(lacking, gone);
    } finally {
      await callDocker(docker, { method: 'DELETE', path: `/images/${udpProxy}`, signal: never });
    }
    await lacking.close();
  });

  it('hears of what is done by hand', async () => {
    const watching = new AbortController();
    const heard: string[] = [];
    const watcher = cluster.startEngine();
    const watched = watcher.watch((what) => heard.push(what), watching.signal);
    await settle(watcher, desire(server({ name: 'watched' })));
    await sleep(500);
    heard.length = 0;
    await harm(firstOf(await cluster.named('main')).Id, 'pause');
    expect(heard.join()).toContain('pause');
    await settle(watcher, desire(server({ name: 'watched' })));
    heard.length = 0;
    const sandbox = firstOf(await cluster.parts('sandbox'));
    await callDocker(docker, {
      method: 'POST',
      path: `/networks/test-${cluster.installation}/disconnect`,
      body: { Container: sandbox.Id },
      signal: never,
    });
    await sleep(300);
    expect(heard.join()).toContain('disconnect');
    await settle(watcher, desire(server({ name: 'watched' })));
    watching.abort();
    await watched;
  });
});

async function until(isSo: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 30_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}
