import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readContext } from '#adapters/docker/build-context.ts';
import { createImageEngine } from '#adapters/docker/image-engine.ts';
import type { OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startOwnDockerd } from '../../../../test/tools/dockerd.ts';
import type { OwnDockerd } from '../../../../test/tools/dockerd.ts';
import { createDockerCluster, desire, never, settle } from './testing/docker-cluster.ts';

const MEGABYTES = 256;
const NO_SPACE = /no space left on device/i;

function app(name: string): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      progressDeadlineSeconds: 3_600,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: SYSTEM_IMAGES.sandbox, command: ['sleep', '3600'] }],
        },
      },
    },
  };
}

describe.sequential('docker engine, when its disk is full', () => {
  const cluster = createDockerCluster();
  let dockerd: OwnDockerd;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'windlass-disk-'));
    dockerd = await startOwnDockerd(folder, { megabytes: MEGABYTES });
  });
  afterAll(() => dockerd.stop());

  it('says so of what it cannot create, leaves what runs alone, and goes on', async () => {
    const engine = cluster.startEngine({ docker: dockerd.docker });
    const old = desire([app('old')], 'old/test');
    const both = [desire([app('new')], 'new/test'), old];
    await settle(engine, old, isDone);
    await dockerd.disk?.fill();
    const { failure } = await settle(engine, both, (status) => status.failure !== undefined);
    expect(failure).toMatch(NO_SPACE);
    const { owners } = await engine.reconcile(both.toReversed(), never);
    expect(owners[0]).toMatchObject({ owner: 'old/test', serving: true, plan: [] });
    await dockerd.disk?.free();
    await settle(engine, both, isDone);
    await settle(engine, both.toReversed(), isDone);
    await engine.close();
  });

  it('says so of a build', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'windlass-disk-build-'));
    const run = 'RUN dd if=/dev/zero of=/large bs=1M count=8';
    await writeFile(join(folder, 'Dockerfile'), `FROM ${SYSTEM_IMAGES.sandbox}\n${run}\n`);
    const images = createImageEngine(dockerd.docker, () => Promise.resolve(undefined));
    const lines: string[] = [];
    const context = await readContext({ checkout: folder, context: '.', dockerfile: 'Dockerfile' });
    function build(): Promise<unknown> {
      const request = {
        what: 'image web',
        purpose: 'image' as const,
        context,
        contextKey: 'disk/web',
        times: { commit: 1_700_000_000_000_000_000n, of: () => 0n },
        tag: 'windlass-test/disk:1',
        args: {},
        labels: {},
      };
      return images.build(request, (line) => lines.push(line), never);
    }
    await dockerd.disk?.fill();
    await expect(build()).rejects.toThrow(NO_SPACE);
    await dockerd.disk?.free();
    await build();
    await rm(folder, { recursive: true });
  });
});

function isDone({ serving, plan }: OwnerStatus): boolean {
  return serving && plan.length === 0;
}
