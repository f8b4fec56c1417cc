import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startGate } from '../../../../test/tools/gate.ts';
import {
  ask,
  createDockerCluster,
  desire,
  execIn,
  never,
  settle,
} from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const PORT = await freeNodePort();
/** What a worker that dies may leave half done; probes and looking are not. */
const CHANGE =
  /^(POST|PUT|DELETE) \S*\/(containers\/create|containers\/[^/]+\/(start|stop|kill|rename|update|archive)|containers\/[^/?]+\?|volumes|networks)/;
const MOST_LIVES = 400;

interface Shape {
  version: string;
  replicas?: number;
  greeting?: string;
  withWorker?: boolean;
}

function shop({ version, replicas = 2, greeting = 'hello', withWorker = true }: Shape): Resource[] {
  const serve = `mkdir -p /w; echo ${version} > /w/index.html; exec httpd -f -p 80 -h /w`;
  const web = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      progressDeadlineSeconds: 120,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'web',
              image: SYSTEM_IMAGES.sandbox,
              command: ['sh', '-c', serve],
              readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'words', mountPath: '/words' }],
            },
          ],
          volumes: [{ name: 'words', configMap: { name: 'words' } }],
        },
      },
    },
  };
  const words = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'words' },
    data: { greeting },
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, nodePort: PORT }] },
  };
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  const worker = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'worker' },
    spec: {
      selector: { matchLabels: { app: 'worker' } },
      template: {
        metadata: { labels: { app: 'worker' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          initContainers: ['first', 'second'].map((name) => ({
            name,
            image: SYSTEM_IMAGES.sandbox,
            command: ['sh', '-c', `echo ${name} >> /shared/order`],
            volumeMounts,
          })),
          containers: [
            {
              name: 'worker',
              image: SYSTEM_IMAGES.sandbox,
              command: ['sleep', '3600'],
              volumeMounts,
            },
          ],
          volumes: [{ name: 'shared', emptyDir: {} }],
        },
      },
    },
  };
  return [web, words, service, ...(withWorker ? [worker] : [])];
}

/** The request that is the `nth` change of a life ends it: `lost` before Docker has it, or over its answer. */
interface Death {
  nth: number;
  lost: boolean;
}

/** Some die early again and again, some get a little further, as some changes are made in each life. */
function deathOf(life: number): Death {
  return { nth: 1 + (life % 7), lost: life % 2 === 1 };
}

describe.sequential('docker engine, killed over every change', () => {
  const cluster = createDockerCluster();
  let folder = '';
  const created: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-kills-'));
  });
  afterAll(async () => {
    await cluster.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** One life of the engine; answers whether it died over its work. */
  async function live(desired: DesiredState, { nth, lost }: Death): Promise<boolean> {
    const path = join(folder, `${randomBytes(4).toString('hex')}.sock`);
    const gate = await startGate({ path: '/var/run/docker.sock' }, { path });
    let changes = 0;
    gate.inspect((request) => {
      if (!CHANGE.test(request)) return 'pass';
      changes += 1;
      if (changes > nth || (changes === nth && lost)) {
        gate.shut();
        return 'cut';
      }
      const name = /containers\/create\?\S*name=([^& ]+)/.exec(request)?.[1];
      if (name !== undefined) created.push(name);
      return changes === nth ? 'shut over answer' : 'pass';
    });
    const engine = cluster.startEngine({ docker: connectDocker(`unix://${path}`) });
    try {
      await settle(engine, desired, isDone);
    } catch (error) {
      if (changes < nth) throw error;
    }
    await engine.close();
    await gate.close();
    return changes >= nth;
  }

  /** Lives one after the other until one has nothing more to do; answers how many died. */
  async function liveThrough(desired: DesiredState): Promise<number> {
    for (let lives = 0; lives < MOST_LIVES; lives += 1) {
      if (!(await live(desired, deathOf(lives)))) return lives;
    }
    throw new Error(`not done after ${MOST_LIVES} lives`);
  }

  it.each<{ what: string; shape: Shape; serves: string }>([
    { what: 'creating', shape: { version: 'one' }, serves: 'one' },
    { what: 'replacing pods', shape: { version: 'two' }, serves: 'two' },
    {
      what: 'updating files in place and adding a pod',
      shape: { version: 'two', replicas: 3, greeting: 'good day' },
      serves: 'two',
    },
    {
      what: 'deleting',
      shape: { version: 'two', replicas: 1, greeting: 'good day', withWorker: false },
      serves: 'two',
    },
  ])('goes on with $what', async ({ shape, serves }) => {
    created.length = 0;
    const desired = desire(shop(shape));
    expect(await liveThrough(desired)).toBeGreaterThan(3);
    const last = cluster.startEngine();
    const replicas = shape.replicas ?? 2;
    const workers = shape.withWorker === false ? 0 : 1;
    await vi.waitFor(
      async () => {
        await settle(last, desired, isDone);
        expect((await cluster.parts('sandbox')).length).toBe(replicas + workers);
      },
      { timeout: 30_000 },
    );
    await last.close();
    // A name is taken once: what was made stays, whoever made it.
    expect(created.length).toBe(new Set(created).size);
    const running = await cluster.named('worker');
    expect(running.length).toBe(workers);
    for (const { Id } of running)
      expect(await execIn(Id, 'cat', '/shared/order')).toBe('first\nsecond');
    const web = await cluster.named('web');
    expect(web.map(({ State }) => State)).toEqual(
      Array.from({ length: replicas }, () => 'running'),
    );
    for (const { Id } of web)
      expect(await execIn(Id, 'cat', '/words/greeting')).toBe(shape.greeting ?? 'hello');
    expect(await ask(PORT)).toBe(serves);
  });

  it('leaves nothing behind that it would change', async () => {
    const engine = cluster.startEngine();
    const same = desire(
      shop({ version: 'two', replicas: 1, greeting: 'good day', withWorker: false }),
    );
    await settle(engine, same);
    expect(await engine.plan(same, never)).toEqual([]);
    await settle(engine, desire([]), ({ plan }) => plan.length === 0);
    expect(await cluster.parts('container')).toEqual([]);
    expect(await cluster.parts('sandbox')).toEqual([]);
  });
});

function isDone({ serving, plan }: OwnerStatus): boolean {
  return serving && plan.length === 0;
}
