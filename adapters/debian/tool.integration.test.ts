import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { librariesOf } from './libraries.ts';
import { runProgram } from './run-program.ts';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from './tool.ts';

const signal = AbortSignal.timeout(110_000);
const BASE_PATH = '/usr/bin:/bin';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-tools-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('findTool', () => {
  it.each([
    [REDIS_SERVER, 'Redis server v='],
    [DOCKER_REGISTRY, 'docker-registry'],
  ])('takes $program out of its packages and runs it', async (spec, says) => {
    const absent = { ...spec, program: `${spec.program}-absent` };
    const { command, args } = await findTool(absent, { tools: folder, path: BASE_PATH }, signal);
    const printed = await runProgram({
      command,
      args: [...args, '--version'],
      timeoutMs: 10_000,
      signal,
    });
    expect(printed).toContain(says);
  });

  it('prefers what is on the PATH', async () => {
    const spec = { ...REDIS_SERVER, program: 'git' };
    const tool = await findTool(spec, { tools: folder, path: process.env['PATH'] ?? '' }, signal);
    expect(tool).toEqual({ command: expect.stringMatching(/\/git$/), args: [] });
  });

  it('says what to install where there are no packages', async () => {
    const spec = { ...REDIS_SERVER, program: 'redis-server-absent' };
    const found = findTool(spec, { tools: folder, path: '/nowhere' }, signal);
    await expect(found).rejects.toMatchObject({ code: 'missing-tool', hint: spec.install });
  });
});

describe('librariesOf', () => {
  it('names every library with a file of the packages', async () => {
    const root = join(folder, 'redis-server-absent');
    const libraries = await librariesOf(root, join(root, REDIS_SERVER.file), signal);
    expect(libraries.map(({ name }) => name)).toContain('libc.so.6');
    expect(libraries.filter(({ file }) => !file.startsWith(root))).toEqual([]);
  });
});
