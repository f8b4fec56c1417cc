import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readContext } from './build-context.ts';

describe('readContext', () => {
  let folder = '';

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-context-'));
    await write('Dockerfile', 'web/Dockerfile', 'web/é', 'web/a/x', 'web/a-b', 'web/a/y/z');
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function write(...paths: string[]): Promise<void> {
    for (const path of paths) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), path);
    }
  }

  function read(context = 'web', dockerfile = 'Dockerfile'): ReturnType<typeof readContext> {
    return readContext({ checkout: folder, context, dockerfile });
  }

  async function pathsOf(context?: string): Promise<string[]> {
    return (await read(context)).entries.map(({ path }) => path);
  }

  it('lists a folder before what is in it, in the order of bytes', async () => {
    expect(await pathsOf()).toEqual(['Dockerfile', 'a', 'a/x', 'a/y', 'a/y/z', 'a-b', 'é']);
  });

  it('keeps the folders of what an exception brings back', async () => {
    await writeFile(join(folder, 'web/.dockerignore'), '**\n!a/y/z\n');
    expect(await pathsOf()).toEqual(['a', 'a/y', 'a/y/z']);
  });

  it('finds the Dockerfile outside of the context', async () => {
    const { dockerfile } = await read('web', '../Dockerfile');
    expect(dockerfile).toEqual({ name: 'Dockerfile', content: Buffer.from('Dockerfile') });
  });

  it('keeps a link that stays inside and one to nothing', async () => {
    await symlink('../Dockerfile', join(folder, 'web/inside'));
    await symlink('nothing', join(folder, 'web/nothing'));
    expect(await pathsOf()).toEqual(expect.arrayContaining(['inside', 'nothing']));
  });

  it.each([
    ['/etc/passwd', 'an absolute path'],
    ['../../x', 'a folder above the checkout'],
    ['a/../../../x', 'a way around'],
  ])('refuses a link to %s, %s', async (target) => {
    await symlink(target, join(folder, 'web/bad'));
    await expect(read()).rejects.toMatchObject({
      code: 'invalid-input',
      message: `web/bad is a symbolic link that leaves the repository: it leads to ${target}`,
    });
    await writeFile(join(folder, 'web/.dockerignore'), 'bad\n');
    expect(await pathsOf()).not.toContain('bad');
  });

  it('refuses a link that leaves only through another', async () => {
    await mkdir(join(folder, 'web/a/y/deep'));
    await symlink('../..', join(folder, 'web/a/y/deep/up'));
    await symlink('a/y/deep/up/../../../..', join(folder, 'web/through'));
    await expect(read()).rejects.toThrow('web/through is a symbolic link that leaves');
  });

  it.each([
    ['..', 'Dockerfile', 'the build context .. is outside of the repository'],
    ['none', 'Dockerfile', 'the build context none is not in the repository'],
    ['Dockerfile', 'Dockerfile', 'the build context Dockerfile is not a folder'],
    ['web', 'none', 'the Dockerfile web/none is not in the repository'],
    ['web', 'a', 'the Dockerfile web/a is not a file'],
    ['web', '../../etc', 'is outside of the repository'],
    ['out', 'Dockerfile', 'the build context out leaves the repository through a symbolic link'],
    ['web', '../passwd', 'the Dockerfile passwd leaves the repository through a symbolic link'],
  ])('refuses %s with %s', async (context, dockerfile, message) => {
    await symlink('/etc', join(folder, 'out'));
    await symlink('/etc/passwd', join(folder, 'passwd'));
    await expect(read(context, dockerfile)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(message) as string,
    });
  });
});
