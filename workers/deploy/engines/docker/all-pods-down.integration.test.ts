import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runProgram } from '#adapters/debian/run-program.ts';
import { Service } from '#core/docker/kinds-service.ts';
import { proxyConfig } from '#core/docker/proxy.ts';
import { readyPod } from '#core/docker/testing/ready-pod.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { ask, never } from './testing/docker-cluster.ts';
import { freeNodePort } from '../../../../test/tools/process.ts';

const POD_IPS = ['127.0.0.1', '127.0.0.2'];
const POD_PORT = await freeNodePort();
const HTTP_PORT = await freeNodePort();
const TCP_PORT = await freeNodePort();
const REQUESTS = 20;
/** A process that ended and was started again. */
const OUTAGE_MS = 300;

const name = `windlass-test-${randomBytes(4).toString('hex')}`;
let folder = '';
let pods: Server[] = [];

/** The proxy of the cluster on the host's network, with servers of this process as pods. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-test-'));
  const service = Service.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      selector: { app: 'web' },
      ports: [
        { name: 'http', port: HTTP_PORT, targetPort: POD_PORT, appProtocol: 'http' },
        { name: 'tcp', port: TCP_PORT, targetPort: POD_PORT },
      ],
    },
  });
  const services = [{ service, address: '127.0.0.1', recordedAt: 1, held: false }];
  const ready = POD_IPS.map((ip, index) => ({ ...readyPod('web', index), ip }));
  await writeFile(join(folder, 'haproxy.cfg'), proxyConfig(services, ready, 1, 15).haproxy);
  await startPods();
  await docker(
    ...`run -d --name ${name} --network host -v ${folder}:/cfg:ro ${SYSTEM_IMAGES.proxy}`.split(
      ' ',
    ),
    ...'haproxy -W -db -f /cfg/haproxy.cfg'.split(' '),
  );
  for (const port of [HTTP_PORT, TCP_PORT]) await vi.waitFor(() => ask(port), { timeout: 20_000 });
}, 60_000);

afterAll(async () => {
  await docker('rm', '--force', name);
  await endPods();
  await rm(folder, { recursive: true });
});

it.each([
  ['requests', HTTP_PORT],
  ['connections', TCP_PORT],
])(
  'has %s wait for pods that are all down for a moment',
  async (_, port) => {
    await endPods();
    const asked = Promise.all(Array.from({ length: REQUESTS }, () => askPatiently(port)));
    await sleep(OUTAGE_MS);
    await startPods();
    expect(await asked).toEqual(Array(REQUESTS).fill('hello'));
  },
  60_000,
);

it('says so where they stay away', async () => {
  await endPods();
  expect(await askPatiently(HTTP_PORT)).toContain('503 Service Unavailable');
  await startPods();
}, 60_000);

async function askPatiently(port: number): Promise<string> {
  const headers = { connection: 'close' };
  const signal = AbortSignal.timeout(30_000);
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers, signal });
  return response.text();
}

async function startPods(): Promise<void> {
  pods = POD_IPS.map(() => createServer((_, response) => response.end('hello')));
  await Promise.all(
    pods.map(async (pod, index) => {
      pod.listen(POD_PORT, POD_IPS[index]);
      await once(pod, 'listening');
    }),
  );
}

async function endPods(): Promise<void> {
  await Promise.all(
    pods.map(async (pod) => {
      const closed = once(pod, 'close');
      pod.close();
      pod.closeAllConnections();
      await closed;
    }),
  );
  pods = [];
}

async function docker(...args: string[]): Promise<void> {
  await runProgram({ command: 'docker', args, timeoutMs: 60_000, signal: never });
}
