import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { APPLICATIONS_LABEL } from '#core/swarm/servers/labels.ts';
import { startHarnessSwarm } from '../../../../test/harness/swarm.ts';
import type { HarnessSwarm } from '../../../../test/harness/swarm.ts';
import type { HarnessServer } from '../../../../test/harness/server.ts';
import type { WorkloadEngine } from './engine.ts';
import { createTestEngine, desire, never, settle } from './testing/swarm-cluster.ts';

const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
const INSTALLATION = 'encrypted';
const PORT = 8_080;
const PATIENCE_MS = 180_000;
const SCRIPT = `mkdir /www; hostname > /www/index.html; exec httpd -f -p ${PORT} -h /www`;
/** As Docker asks the kernel for it. */
const ESP =
  'xfrm state add src 10.9.9.1 dst 10.9.9.2 proto esp spi 9 mode transport aead rfc4106(gcm(aes)) 0x0123456789012345678901234567890123456789 64';

/** As `ip` tells that the kernel has no such algorithm, or no such protocol. */
const KERNEL_CANNOT = /algorithm not found|RTNETLINK answers: .*not supported/;
/** So often a server is asked that cannot be reached, and one that can. */
const TIMES = 3;
const MOST_TIMES = 60;
const PAUSE_MS = 1_000;

let swarm: HarnessSwarm;
const engines: WorkloadEngine[] = [];

beforeAll(async () => {
  swarm = await startHarnessSwarm(['m1', 'w1'], [sandbox, proxy, nameServer]);
  for (const { name } of swarm.servers)
    await swarm.setNode(name, { Labels: { [APPLICATIONS_LABEL]: 'true' } });
}, PATIENCE_MS);
afterAll(async () => {
  for (const engine of engines) await engine.close();
  await swarm?.stop();
});

function engineOf(encrypted: boolean): WorkloadEngine {
  const engine = createTestEngine(swarm.manager.client, {
    installation: INSTALLATION,
    encrypted,
    connect: (name) => swarm.servers.find((server) => server.name === name)?.client,
  });
  engines.push(engine);
  return engine;
}

/** On each server a pod. */
const desired = desire([
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: sandbox, command: ['sh', '-c', SCRIPT] }] },
      },
    },
  },
]);

async function podOn({ client }: HarnessServer): Promise<{ id: string; address: string }> {
  const filters = JSON.stringify({ label: ['com.docker.swarm.task.id'] });
  const found = await callDocker<
    { Id: string; NetworkSettings: { Networks: Record<string, { IPAddress: string }> } }[]
  >(client, { method: 'GET', path: '/containers/json', query: { filters }, signal: never });
  const [pod] = found;
  const [network] = Object.values(pod?.NetworkSettings.Networks ?? {});
  return { id: pod?.Id ?? '', address: network?.IPAddress ?? '' };
}

/** Whether servers can encrypt. */
async function canEncrypt(): Promise<boolean> {
  try {
    await swarm.network.ip(ESP);
    return true;
  } catch (error) {
    if (error instanceof Error && KERNEL_CANNOT.test(error.message)) return false;
    throw error;
  }
}

/** Whether the pod there answers the pod here. */
async function answers(here: HarnessServer, there: HarnessServer): Promise<boolean> {
  const [{ id }, { address }] = await Promise.all([podOn(here), podOn(there)]);
  const command = ['timeout', '10', 'wget', '-qO-', `http://${address}:${PORT}/`];
  const { exitCode } = await runInContainer(here.client, { container: id, command }, never);
  return exitCode === 0;
}

/** Whether it does once of so many times. */
async function answersIn(
  times: number,
  here: HarnessServer,
  there: HarnessServer,
): Promise<boolean> {
  for (let time = 0; time < times; time += 1) {
    if (await answers(here, there)) return true;
    await sleep(PAUSE_MS);
  }
  return false;
}

it(
  'is encrypted from its beginning, and carries to other servers where the kernel can, else nothing',
  { timeout: 8 * PATIENCE_MS },
  async () => {
    await settle(engineOf(true), desired, undefined, PATIENCE_MS);
    const networks = await swarm.ask<{ Driver: string; Options: Record<string, string> }[]>(
      'GET',
      '/networks',
      undefined,
      { filters: JSON.stringify({ label: [`windlass.dev/installation=${INSTALLATION}`] }) },
    );
    expect(networks).toMatchObject([{ Driver: 'overlay', Options: { encrypted: '' } }]);
    const [m1, w1] = swarm.servers;
    if (m1 === undefined || w1 === undefined) throw new Error('two servers are needed');
    for (const server of [m1, w1])
      await expect.poll(() => answers(server, server), { timeout: PATIENCE_MS }).toBe(true);
    const can = await canEncrypt();
    expect(await answersIn(can ? MOST_TIMES : TIMES, m1, w1)).toBe(can);
  },
);

it('cannot be changed while there is one: the field is told, and what to do', async () => {
  await expect(engineOf(false).reconcile([desired], never)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(
      /^spec\.network\.encrypted: .* is encrypted and ought not to be/,
    ),
    hint: expect.stringContaining('put it back as it was'),
  });
});
