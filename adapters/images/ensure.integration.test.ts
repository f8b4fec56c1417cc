import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { removeImage } from '#adapters/docker/image-store.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { ensureImages } from './ensure.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
/** Packages are fetched and unpacked, on a machine that may have other things to do. */
const BUILD_MS = 400_000;
const signal = AbortSignal.timeout(BUILD_MS);
const tag = randomBytes(4).toString('hex');
// A registry that nobody runs: what cannot be pulled is built.
const images = {
  sandbox: `127.0.0.1:1/busybox:${tag}`,
  proxy: `127.0.0.1:1/haproxy:${tag}`,
  nameServer: `127.0.0.1:1/dnsmasq:${tag}`,
  udpProxy: `127.0.0.1:1/nginx:${tag}`,
  recordServer: `127.0.0.1:1/unbound:${tag}`,
  probe: `127.0.0.1:1/probe:${tag}`,
};
let tools = '';

beforeAll(async () => {
  tools = await mkdtemp(join(tmpdir(), 'windlass-images-'));
});
afterAll(async () => {
  const cleanUp = AbortSignal.timeout(30_000);
  for (const image of Object.values(images)) await removeImage(docker, image, cleanUp);
  await rm(tools, { recursive: true, force: true });
});

it(
  'builds images that can be had nowhere, and finds them the next time',
  async () => {
    const search = { tools, path: process.env['PATH'] ?? '' };
    const built = await ensureImages(docker, images, search, signal);
    expect(built.map(({ how }) => how)).toEqual(Array(6).fill('built'));
    const again = await ensureImages(docker, images, search, signal);
    expect(again.map(({ how }) => how)).toEqual(Array(6).fill('present'));
  },
  BUILD_MS,
);

it.each([
  ['sandbox', ['sh', '-c', 'echo "$(id -un) $(ls /bin | wc -l)" && tar --help 2>&1'], 'root'],
  ['proxy', ['haproxy', '-v'], 'HAProxy version'],
  ['nameServer', ['dnsmasq', '--version'], 'Dnsmasq version'],
  ['recordServer', ['unbound', '-V'], 'Version 1.'],
] as const)('%s runs its program', async (role, command, says) => {
  const args = ['run', '--rm', '--network', 'none', images[role], ...command];
  const printed = await runProgram({ command: 'docker', args, timeoutMs: 30_000, signal });
  expect(printed).toContain(says);
});

it('loads the module that carries UDP', async () => {
  const module = ['-t', '-c', '/etc/nginx/modules-enabled/stream.conf'];
  const args = ['run', '--rm', '--network', 'none', images.udpProxy, 'nginx', ...module];
  // It has no more than that, so nginx does not run by it.
  await expect(runProgram({ command: 'docker', args, timeoutMs: 30_000, signal })).rejects.toThrow(
    'stream.conf syntax is ok',
  );
});

it('keeps the search path of the public image', async () => {
  const { Config } = await callDocker<{ Config: { Env: string[] } }>(docker, {
    method: 'GET',
    path: `/images/${images.proxy}/json`,
    signal,
  });
  expect(Config.Env.join()).toContain('/usr/local/sbin');
});
