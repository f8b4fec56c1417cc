import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildImage, builderOf } from './build.ts';
import type { Builder, BuildRequest, BuildResult } from './build.ts';
import { readContext } from './build-context.ts';
import type { FileTimes } from './build-context.ts';
import { callDocker } from './call.ts';
import { connectDocker } from './connect.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const NEVER = new AbortController().signal;
const INSTALLATION = `t${process.pid}`;
const BASE = 'FROM busybox:1.36';

/** Told apart from every other sleeper of the machine. */
const sleepSeconds = 100_000 + process.pid;

let commits = 0n;

describe.each<Builder>(['buildkit', 'classic'])('a build with %s', (builder) => {
  let folder = '';
  let lines: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-build-'));
    lines = [];
  });
  afterEach(() => rm(folder, { recursive: true }));
  afterAll(removeOurs);

  async function write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  }

  async function build(
    change: Partial<BuildRequest> = {},
    place = { context: '.', dockerfile: 'Dockerfile' },
    signal = NEVER,
  ): Promise<BuildResult> {
    commits += 1n;
    const request: BuildRequest = {
      what: 'image web',
      purpose: 'image',
      context: await readContext({ checkout: folder, ...place }),
      contextKey: `${INSTALLATION}/${builder}`,
      times: timesOf(1_700_000_000_000_000_000n + commits),
      tag: `windlass-test/${INSTALLATION}:${builder}`,
      args: {},
      labels: { 'windlass.dev/installation': INSTALLATION },
      ...change,
    };
    return buildImage(
      docker,
      builder,
      request,
      () => Promise.resolve(undefined),
      (line) => lines.push(line),
      signal,
    );
  }

  async function contentOf(image: string | undefined, command: string): Promise<string> {
    const { Id } = await callDocker<{ Id: string }>(docker, {
      method: 'POST',
      path: '/containers/create',
      body: { Image: image, Cmd: ['sh', '-c', command], HostConfig: { NetworkMode: 'none' } },
      signal: NEVER,
    });
    const container = docker.getContainer(Id);
    await container.start();
    await container.wait();
    const output = await container.logs({ stdout: true });
    await container.remove({ force: true });
    return output.toString().replace(/^.{8}/gm, '').trim();
  }

  it('streams its lines and costs only the cache when nothing has changed', async () => {
    await write({
      Dockerfile: `${BASE}\nCOPY . /app\nRUN echo out; echo err >&2; cat /app/f; : ${INSTALLATION}`,
      f: 'v1\n',
    });
    const first = await build();
    expect(lines).toEqual(expect.arrayContaining(['out', 'err', 'v1']));
    expect(first.cached).toBe(false);
    const second = await build();
    expect(second).toEqual({ imageId: first.imageId, cached: true });
  });

  it('sees a change of the same size in the next commit', async () => {
    await write({ Dockerfile: `${BASE}\nCOPY f /f`, f: 'v1' });
    await build();
    await write({ f: 'v2' });
    expect(await contentOf((await build()).imageId, 'cat /f')).toBe('v2');
  });

  it('respects .dockerignore with its exceptions, arguments and the target', async () => {
    await write({
      Dockerfile: `${BASE} AS one\nARG WHO\nCOPY . /app\nRUN echo $WHO > /who\nFROM one\nRUN false`,
      '.dockerignore': '# all but\n*\n!src\nsrc/*.log\n.dockerignore\n',
      'src/a b.txt': '',
      'src/x.log': '',
      secret: '',
    });
    const { imageId } = await build({ target: 'one', args: { WHO: 'me' } });
    expect(await contentOf(imageId, 'cd /app; find . -type f; cat /who')).toBe('./src/a b.txt\nme');
  });

  it('takes a Dockerfile that lies outside the context, with its own ignore file', async () => {
    await write({
      'docker/web.Dockerfile': `${BASE}\nCOPY . /app`,
      'docker/web.Dockerfile.dockerignore': 'no',
      'web/yes': '',
      'web/no': '',
    });
    const { imageId } = await build({}, { context: 'web', dockerfile: '../docker/web.Dockerfile' });
    expect(await contentOf(imageId, 'find /app -type f | sort')).toContain('/app/yes');
    expect(await contentOf(imageId, 'ls /app/no /app/web.Dockerfile 2>/dev/null')).toBe('');
  });

  it('keeps modes, links and large files as they are', async () => {
    await write({ Dockerfile: `${BASE}\nCOPY . /app`, big: 'x'.repeat(5_000_000) });
    await writeFile(join(folder, 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
    await symlink('run', join(folder, 'link'));
    const { imageId } = await build();
    const command = 'wc -c < /app/big; /app/link; readlink /app/link; stat -c %a%u /app/run';
    expect(await contentOf(imageId, command)).toBe('5000000\nran\nrun\n7550');
  });

  it('tells which test failed, with its exit code and last lines', async () => {
    await write({ Dockerfile: `${BASE} AS check\nRUN echo expected 1 got 2; exit 3` });
    await expect(build({ purpose: 'test', target: 'check' })).rejects.toMatchObject({
      code: 'test-failed',
      transient: false,
      message: expect.stringMatching(
        /the test of image web failed: .*RUN echo .* exit code 3\n {2}expected 1 got 2$/,
      ) as string,
    });
  });

  it.each([
    ['an unknown instruction', `${BASE}\nNONSENSE x`, /unknown instruction: NONSENSE/],
    ['a failing step', `${BASE}\nRUN exit 9`, /RUN exit 9 ended with exit code 9/],
    [
      'a file that is not there',
      `${BASE}\nCOPY nothing /`,
      /nothing.*(not found|no such file)|not found/,
    ],
    ['a stage that is not there', BASE, /target stage .*other|failed to reach build target other/],
  ])('tells of %s', async (_case, dockerfile, message) => {
    await write({ Dockerfile: dockerfile });
    const target = dockerfile === BASE ? { target: 'other' } : {};
    await expect(build(target)).rejects.toMatchObject({
      code: 'build-failed',
      transient: false,
      message: expect.stringMatching(message) as string,
    });
  });

  it('calls a base image it cannot pull transient', async () => {
    await write({ Dockerfile: 'FROM 127.0.0.1:1/none:1\n' });
    await expect(build()).rejects.toMatchObject({ code: 'build-failed', transient: true });
  });

  it('ends in the engine too when aborted', async () => {
    await write({ Dockerfile: `${BASE}\nRUN echo begun; sleep ${sleepSeconds}` });
    const controller = new AbortController();
    const built = build({}, undefined, controller.signal);
    built.catch(() => undefined);
    await expect.poll(() => lines, { timeout: 20_000 }).toContain('begun');
    expect(sleepers()).not.toBe('');
    controller.abort(new Error('cancelled by ann'));
    await expect(built).rejects.toThrow('cancelled by ann');
    await expect.poll(sleepers, { timeout: 10_000 }).toBe('');
  });

  function sleepers(): string {
    const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
    return all.filter((line) => line.trim() === `sleep ${sleepSeconds}`).join('\n');
  }
});

describe('builderOf', () => {
  it('finds BuildKit in the engine', async () => {
    expect(await builderOf(docker, NEVER)).toBe('buildkit');
  });
});

function timesOf(commit: bigint): FileTimes {
  return { commit, of: () => commit };
}

async function removeOurs(): Promise<void> {
  const filters = JSON.stringify({ label: [`windlass.dev/installation=${INSTALLATION}`] });
  const images = await callDocker<{ Id: string }[]>(docker, {
    method: 'GET',
    path: '/images/json',
    query: { filters },
    signal: NEVER,
  });
  for (const { Id } of images) await docker.getImage(Id).remove({ force: true });
}
