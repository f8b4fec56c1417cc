import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCredentialsReader, registryOf } from '#adapters/docker/credentials.ts';

describe('registryOf', () => {
  it.each([
    ['busybox', 'docker.io'],
    ['library/busybox:1.36', 'docker.io'],
    ['localhost/web', 'localhost'],
    ['127.0.0.1:5380/hello/web@sha256:ab', '127.0.0.1:5380'],
    ['ghcr.io/a/b:c', 'ghcr.io'],
  ])('%s is at %s', (image, registry) => {
    expect(registryOf(image)).toBe(registry);
  });
});

describe('createCredentialsReader', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-credentials-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads what docker login stored', async () => {
    const file = join(folder, 'config.json');
    const auth = Buffer.from('me:a:b').toString('base64');
    await writeFile(
      file,
      JSON.stringify({ auths: { 'ghcr.io': { auth }, 'https://index.docker.io/v1/': { auth } } }),
    );
    const read = createCredentialsReader(file);
    expect(await read('ghcr.io/a/b')).toEqual({
      username: 'me',
      password: 'a:b',
      serveraddress: 'ghcr.io',
    });
    expect(await read('busybox')).toMatchObject({ username: 'me' });
    expect(await read('quay.io/a/b')).toBeUndefined();
  });

  it('has nothing where there is no file', async () => {
    expect(await createCredentialsReader(join(folder, 'none.json'))('busybox')).toBeUndefined();
  });

  it('says which file is broken', async () => {
    const file = join(folder, 'broken.json');
    await writeFile(file, '{');
    await expect(createCredentialsReader(file)('busybox')).rejects.toThrow(
      'broken.json is not a configuration',
    );
  });
});
