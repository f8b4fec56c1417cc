import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDockerfile } from '../init/dockerfile.ts';
import { nameOf } from '../init/look-around.ts';
import { openFakeWorld } from '../fake-world.ts';
import type { FakeWorld } from '../fake-world.ts';

describe('readDockerfile', () => {
  it.each([
    { name: 'nothing', text: 'FROM busybox', facts: {} },
    { name: 'a port', text: 'FROM busybox\nEXPOSE 3000', facts: { port: 3000 } },
    { name: 'the first TCP port', text: 'FROM a\nexpose 53/udp 80/tcp 443', facts: { port: 80 } },
    { name: 'no variable', text: 'FROM a\nEXPOSE $PORT', facts: {} },
    {
      name: 'a test stage',
      text: 'FROM --platform=linux/amd64 a AS build\nFROM build AS check\nFROM a',
      facts: { testStage: 'check' },
    },
  ])('finds $name', ({ text, facts }) => {
    expect(readDockerfile(text)).toEqual(facts);
  });
});

it.each([
  ['/src/My_Shop', 'my-shop'],
  ['/src/--x--', 'x'],
  ['/', 'app'],
])('names the pipeline of %s %s', (folder, name) => {
  expect(nameOf(folder)).toBe(name);
});

describe('init', () => {
  let world: FakeWorld;

  beforeEach(async () => {
    world = await openFakeWorld({});
  });

  afterEach(async () => {
    await world.close();
  });

  async function write(path: string, text: string): Promise<void> {
    await mkdir(join(world.folder, path, '..'), { recursive: true });
    await writeFile(join(world.folder, path), text);
  }

  async function read(path: string): Promise<string> {
    return readFile(join(world.folder, path), 'utf8');
  }

  it('writes files that are valid, fitting the Dockerfile and the branch', async () => {
    await write('Dockerfile', 'FROM a AS test\nFROM a\nEXPOSE 3000\n');
    await write('.git/HEAD', 'ref: refs/heads/trunk\n');
    const { out, notes } = await world.run('init', '--name', 'shop');
    expect(out).toEqual([
      'wrote pipelines/shop.yaml',
      'wrote deploy/web-deployment.yaml',
      'wrote deploy/web-service.yaml',
    ]);
    expect(notes.join('\n')).toContain(
      `git remote add windlass ${world.url.replace('//', '//windlass@')}/git/shop.git`,
    );
    expect(await read('pipelines/shop.yaml')).toContain('branches: [trunk]');
    expect(await read('deploy/web-deployment.yaml')).toContain('containerPort: 3000');
    expect((await world.run('validate')).code).toBe(0);
  });

  it('makes an image of each folder that has a Dockerfile', async () => {
    await write('api/Dockerfile', 'FROM a\nEXPOSE 1\n');
    await write('front/Dockerfile', 'FROM a\nEXPOSE 2\n');
    const { out } = await world.run('init', '--name', 'true', '--json');
    expect(JSON.parse(out[0] ?? '')).toMatchObject({
      pipeline: 'true',
      written: [
        'pipelines/true.yaml',
        'deploy/api-deployment.yaml',
        'deploy/api-service.yaml',
        'deploy/front-deployment.yaml',
        'deploy/front-service.yaml',
      ],
    });
    expect(await read('deploy/front-service.yaml')).toContain('targetPort: 2');
    expect((await world.run('validate')).code).toBe(0);
  });

  it('overwrites nothing', async () => {
    await write('pipelines/shop.yaml', 'mine');
    const { out } = await world.run('init', '--name', 'shop', '--port', '81');
    expect(out).toContain('kept pipelines/shop.yaml, which was there');
    expect(await read('pipelines/shop.yaml')).toBe('mine');
  });

  it('refuses a name that cannot be one', async () => {
    const { code, notes } = await world.run('init', '--name', 'My Shop');
    expect(code).toBe(1);
    expect(notes[0]).toMatch(/^error: the name My Shop must be lower case/);
  });
});
