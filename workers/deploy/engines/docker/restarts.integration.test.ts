import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startOwnDockerd } from '../../../../test/tools/dockerd.ts';
import type { OwnDockerd } from '../../../../test/tools/dockerd.ts';
import { createDockerCluster, desire, never, settle } from './testing/docker-cluster.ts';

const REPLICAS = 3;
/** What it found when it started, as a program does that reads its configuration once. */
const COMMAND = 'cat /words/greeting /secret/word > /found; exec httpd -f -p 80 -h /';

function shop(): Resource[] {
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'web',
          image: SYSTEM_IMAGES.sandbox,
          command: ['sh', '-c', COMMAND],
          readinessProbe: { httpGet: { path: '/found', port: 80 }, periodSeconds: 1 },
          volumeMounts: [
            { name: 'words', mountPath: '/words' },
            { name: 'secret', mountPath: '/secret' },
          ],
        },
      ],
      volumes: [
        { name: 'words', configMap: { name: 'words' } },
        { name: 'secret', secret: { secretName: 'secret' } },
      ],
    },
  };
  const selector = { matchLabels: { app: 'web' } };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: REPLICAS, selector, template },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'words' },
      data: { greeting: 'hello ' },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'secret' },
      stringData: { word: 'swordfish' },
    },
  ];
}

interface Part {
  Id: string;
  State: string;
  Labels: Record<string, string>;
}

describe.sequential('docker engine, when Docker restarts', () => {
  const cluster = createDockerCluster();
  let dockerd: OwnDockerd;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'windlass-restarts-'));
    dockerd = await startOwnDockerd(folder);
  });
  afterAll(async () => {
    await dockerd.stop();
  });

  async function webs(): Promise<Part[]> {
    const all = await callDocker<Part[]>(dockerd.docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true },
      signal: never,
    });
    return all
      .filter(({ Labels }) => Labels['windlass.dev/container'] === 'web')
      .toSorted((one, other) => one.Id.localeCompare(other.Id));
  }

  async function foundBy({ Id }: Part): Promise<string> {
    const command = ['cat', '/found', '/words/greeting', '/secret/word'];
    return (await runInContainer(dockerd.docker, { container: Id, command }, never)).stdout;
  }

  async function expectWhole(): Promise<void> {
    const running = await webs();
    expect(running.map(({ State }) => State)).toEqual(Array(REPLICAS).fill('running'));
    for (const each of running) expect(await foundBy(each)).toBe('hello swordfish'.repeat(2));
  }

  it.each(['SIGTERM', 'SIGKILL'] as const)('goes on after %s', async (signal) => {
    const engine = cluster.startEngine({ docker: dockerd.docker });
    await settle(engine, desire(shop()));
    await expectWhole();
    await dockerd.restart(signal);
    await settle(engine, desire(shop()), isDone);
    await expectWhole();
    await engine.close();
  });

  it('goes on where no worker saw it', async () => {
    await dockerd.restart('SIGTERM');
    const engine = cluster.startEngine({ docker: dockerd.docker });
    await settle(engine, desire(shop()), isDone);
    await expectWhole();
    await engine.close();
  });

  it('touches nothing after that', async () => {
    const engine = cluster.startEngine({ docker: dockerd.docker });
    const { done } = await engine.reconcile([desire(shop())], never);
    expect(done).toEqual([]);
    await engine.close();
  });

  it('removes all of it in the end', async () => {
    const engine = cluster.startEngine({ docker: dockerd.docker });
    await vi.waitFor(
      async () => {
        await engine.reconcile([desire([])], never);
        expect(await webs()).toEqual([]);
      },
      { timeout: 30_000, interval: 500 },
    );
    await engine.close();
  });
});

function isDone({ serving, plan }: OwnerStatus): boolean {
  return serving && plan.length === 0;
}
