import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { createDockerCluster, desire, never, settle } from './testing/docker-cluster.ts';

const PATIENCE = { timeout: 60_000, interval: 100 };

describe.sequential('hooks, when the worker is cut off', () => {
  const cluster = createDockerCluster();
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-hooks-'));
  });
  afterAll(async () => {
    await cluster.remove();
    await rm(folder, { recursive: true, force: true });
  });

  function wait(what: string): string[] {
    const script = `echo ${what} >> /log/log; until [ -f /log/${what}-over ]; do sleep 0.1; done`;
    return ['sh', '-c', script];
  }

  /** Each hook tells that it begins, and ends when it is let. */
  function pod(): Resource {
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: {
        terminationGracePeriodSeconds: 120,
        volumes: [{ name: 'log', hostPath: { path: folder } }],
        containers: [
          {
            name: 'web',
            image: SYSTEM_IMAGES.sandbox,
            command: [
              'sh',
              '-c',
              'trap "echo term >> /log/log; exit" TERM; while :; do sleep 0.1; done',
            ],
            volumeMounts: [{ name: 'log', mountPath: '/log' }],
            lifecycle: {
              postStart: { exec: { command: wait('start') } },
              preStop: { exec: { command: wait('stop') } },
            },
          },
        ],
      },
    };
  }

  async function logged(): Promise<string> {
    return (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).trim();
  }

  /** Goes on until that is logged, and then is cut off. */
  async function cutOffAfter(engine: Engine, resources: Resource[], last: string): Promise<void> {
    await vi.waitFor(async () => {
      const { owners } = await engine.reconcile([desire(resources)], never);
      expect(owners[0]?.serving && resources.length > 0).toBe(false);
      expect(await logged()).toMatch(new RegExp(`${last}$`));
    }, PATIENCE);
    await engine.close();
  }

  it('goes on with a postStart hook', async () => {
    await cutOffAfter(cluster.startEngine(), [pod()], 'start');
    const engine = cluster.startEngine();
    await engine.reconcile([desire([pod()])], never);
    await writeFile(join(folder, 'start-over'), '');
    await settle(engine, desire([pod()]));
    expect(await logged()).toBe('start');
    await engine.close();
  });

  it('goes on with a preStop hook', async () => {
    await cutOffAfter(cluster.startEngine(), [], 'stop');
    const engine = cluster.startEngine();
    await engine.reconcile([desire([])], never);
    await writeFile(join(folder, 'stop-over'), '');
    await vi.waitFor(async () => {
      await engine.reconcile([desire([])], never);
      expect(await logged()).toBe('start\nstop\nterm');
    }, PATIENCE);
    await engine.close();
  });
});
