import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { createSandboxShell } from '../docker/sandbox-shell.ts';
import { createAnnouncer } from './announce.ts';
import { never, startOwnSwarm } from './testing/swarm-cluster.ts';
import type { OwnSwarm } from './testing/swarm-cluster.ts';

const NETWORK = 'announced';
const NOBODY = '10.77.0.200';
const LATE = { timeout: 15_000, interval: 100 };

let swarm: OwnSwarm;
beforeAll(async () => {
  swarm = await startOwnSwarm();
  const config = {
    Driver: 'overlay',
    Attachable: true,
    IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] },
  };
  const body = { Name: NETWORK, ...config };
  await callDocker(swarm.docker, { method: 'POST', path: '/networks/create', body, signal: never });
});
afterAll(() => swarm?.stop());

async function start(): Promise<{ id: string; address: string }> {
  const container = await swarm.docker.createContainer({
    Image: SYSTEM_IMAGES.sandbox,
    Cmd: ['sleep', '600'],
    HostConfig: { NetworkMode: NETWORK },
  });
  await container.start();
  const { Id, NetworkSettings } = await container.inspect();
  return { id: Id, address: NetworkSettings.Networks[NETWORK]?.IPAddress ?? '' };
}

it('asks each new task for its address once, and again who did not answer', async () => {
  const lines: { reason: string }[] = [];
  function write(line: string): void {
    lines.push(JSON.parse(line) as { reason: string });
  }
  const log = pino({ level: 'debug' }, { write });
  const [sandbox, task] = [await start(), await start()];
  const context = { docker: swarm.docker, cluster: 'test', installation: 'announce' };
  const shell = createSandboxShell({ ...context, images: SYSTEM_IMAGES, isRemote: false, log });
  shell.use(sandbox.id);
  const run = vi.spyOn(shell, 'run');
  const announcer = createAnnouncer({ cluster: 'test', log }, (node) =>
    node === 's1' ? shell : undefined,
  );
  const there = { id: 'there', node: 's1', address: task.address };
  announcer.announce([there, { ...there, id: 'elsewhere', node: 's2' }]);
  await expect(run.mock.results[0]?.value).resolves.toBe('');
  announcer.announce([there]);
  expect(run).toHaveBeenCalledTimes(1);
  const silent = { id: 'silent', node: 's1', address: NOBODY };
  announcer.announce([there, silent]);
  await vi.waitFor(() => expect(lines).toHaveLength(1), LATE);
  announcer.announce([there, silent]);
  expect(run).toHaveBeenCalledTimes(3);
  expect(run.mock.calls[2]?.[1]).not.toContain(task.address);
  announcer.close();
  shell.close();
});
