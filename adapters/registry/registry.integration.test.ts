import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDocker } from '#adapters/docker/connect.ts';
import { pushImage, tagImage } from '#adapters/docker/push.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRegistry } from '../../test/tools/registry.ts';
import { createRegistryClient } from './registry-client.ts';
import { resolveDigest } from './resolve-digest.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const NEVER = new AbortController().signal;
const client = createRegistryClient(noCredentials);

function noCredentials(): Promise<undefined> {
  return Promise.resolve(undefined);
}

describe('a registry', () => {
  let folder = '';
  let registry: Running & { host: string };
  let image = { repository: '', tag: 'c1' };
  let lines: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-registry-'));
    registry = await startRegistry(folder);
    image = { repository: `${registry.host}/hello/web`, tag: 'c1' };
    await tagImage(docker, 'busybox:1.36', image, NEVER);
  });
  afterAll(async () => {
    await docker.getImage(`${image.repository}:c1`).remove();
    await registry.stop();
    await rm(folder, { recursive: true });
  });

  function push(): Promise<string> {
    lines = [];
    return pushImage(docker, image, noCredentials, (line) => lines.push(line), NEVER);
  }

  it('answers the same digest for what is pushed, pushed again and asked for', async () => {
    const digest = await push();
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(lines.at(-1)).toMatch(/: Pushed$/);
    expect(await push()).toBe(digest);
    expect(lines.at(-1)).toMatch(/: Layer already exists$/);
    expect(await client.digest(image.repository, 'c1', NEVER)).toBe(digest);
    expect(await resolveDigest(docker, `${image.repository}:c1`, noCredentials, NEVER)).toBe(
      digest,
    );
  });

  it('has nothing where nothing was pushed', async () => {
    const other = `${registry.host}/none/none`;
    expect(await client.tags(other, NEVER)).toEqual([]);
    expect(await client.digest(image.repository, 'none', NEVER)).toBeUndefined();
    await expect(resolveDigest(docker, `${other}:1`, noCredentials, NEVER)).rejects.toMatchObject({
      code: 'not-found',
      transient: false,
    });
  });

  it('deletes a manifest with its tags, and takes it pushed again', async () => {
    const digest = await push();
    expect(await client.tags(image.repository, NEVER)).toEqual(['c1']);
    expect(await client.deleteManifest(image.repository, digest, NEVER)).toBe(true);
    expect(await client.deleteManifest(image.repository, digest, NEVER)).toBe(true);
    expect(await client.tags(image.repository, NEVER)).toEqual([]);
    expect(await push()).toBe(digest);
  });

  it('is told from one that is not there', async () => {
    const away = '127.0.0.1:1/hello/web';
    const gone = { code: 'unavailable', transient: true };
    await expect(client.tags(away, NEVER)).rejects.toMatchObject(gone);
    await expect(resolveDigest(docker, `${away}:1`, noCredentials, NEVER)).rejects.toMatchObject(
      gone,
    );
    const missing = { repository: '127.0.0.1:1/hello/web', tag: 'c1' };
    await tagImage(docker, 'busybox:1.36', missing, NEVER);
    try {
      await expect(
        pushImage(docker, missing, noCredentials, () => undefined, NEVER),
      ).rejects.toMatchObject(gone);
    } finally {
      await docker.getImage(`${away}:c1`).remove();
    }
  });
});
