import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { startGate } from '../../../../test/tools/gate.ts';
import type { DockerContext } from './context.ts';
import { marks } from './marks.ts';
import { suffix } from './names.ts';
import { ensureNetwork, removeNetwork } from './network.ts';
import { createDockerCluster, docker, never } from './testing/docker-cluster.ts';

const cluster = createDockerCluster();
const context: DockerContext = {
  docker,
  isRemote: true,
  cluster: 'elsewhere',
  installation: cluster.installation,
  images: SYSTEM_IMAGES,
  log: pino({ level: 'silent' }),
};
const choice = `${suffix(context)}-choice`;

afterAll(async () => {
  await removeNetwork(context, never);
  await cluster.remove();
});

async function leave(labels: Record<string, string>): Promise<string> {
  const body = { Name: choice, Driver: 'bridge', Labels: labels };
  const request = { method: 'POST', path: '/networks/create', body, signal: never } as const;
  return (await callDocker<{ Id: string }>(docker, request)).Id;
}

async function remove(id: string): Promise<void> {
  await callDocker(docker, { method: 'DELETE', path: `/networks/${id}`, signal: never });
}

function chosen(): Promise<unknown> {
  return callDocker(docker, { method: 'GET', path: `/networks/${choice}`, signal: never });
}

it('makes the network where a killed worker left the one that it asked Docker with', async () => {
  await leave(marks(context, 'network'));
  expect(await ensureNetwork(context, undefined, never)).toMatchObject({ name: suffix(context) });
  await expect(chosen()).rejects.toMatchObject({ status: 404 });
  await removeNetwork(context, never);
});

it('takes along what a killed worker left', async () => {
  await leave(marks(context, 'network'));
  await removeNetwork(context, never);
  await expect(chosen()).rejects.toMatchObject({ status: 404 });
});

it('leaves alone what another made', async () => {
  const id = await leave({});
  await expect(ensureNetwork(context, undefined, never)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(choice),
  });
  await remove(id);
});

it('leaves nothing where the work is given up while Docker is asked', async () => {
  const path = join(tmpdir(), `windlass-network-${cluster.installation}.sock`);
  const gate = await startGate({ path: '/var/run/docker.sock' }, { path });
  const given = new AbortController();
  const held = gate.hold(/^GET \S*\/networks\/[0-9a-f]{64}/);
  const through = { ...context, docker: connectDocker(`unix://${path}`) };
  await Promise.all([
    expect(ensureNetwork(through, undefined, given.signal)).rejects.toThrow(/given up|abort/i),
    held.reached.then(() => given.abort(new Error('given up'))),
  ]);
  await expect(chosen()).rejects.toMatchObject({ status: 404 });
  held.release();
  await gate.close();
});
