import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { ensureNetwork } from './network.ts';
import { createSandboxShell } from './sandbox-shell.ts';
import { createInternalCa } from './internal-ca.ts';
import { createSystemPod } from './system-pod.ts';
import { createDockerCluster, docker, execIn, firstOf, never } from './testing/docker-cluster.ts';

const CHANGES = 25;
const cluster = createDockerCluster();
const context = {
  docker,
  cluster: 'test',
  installation: cluster.installation,
  images: SYSTEM_IMAGES,
  log: pino({ level: 'silent' }),
};
const shell = createSandboxShell(context);
afterAll(async () => {
  shell.close();
  await cluster.remove();
});

function config(answer: string, address: string): { haproxy: string; addresses: string[] } {
  const haproxy = `defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s

listen default.web:80
  bind ${address}:80
  http-request return status 200 content-type text/plain string "${answer}"
`;
  return { haproxy, addresses: [address] };
}

it('serves each of many configurations that follow at once upon each other', async () => {
  const network = await ensureNetwork(context, undefined, never);
  const system = createSystemPod(context, shell, createInternalCa('secret', 'test'), {
    canConnect: () => Promise.resolve(false),
    bring: () => Promise.resolve(),
  });
  const address = network.serviceRange.first;
  const answers: string[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const hash = `change ${change}`;
    await system.configureProxy(network, { ...config(hash, address), hash }, never);
    const { Id } = firstOf(await cluster.parts('proxy-sandbox'));
    answers.push(await execIn(Id, 'wget', '-q', '-O-', `http://${address}/`));
  }
  expect(answers).toEqual(answers.map((_, change) => `change ${change}`));
  const wrong = { haproxy: 'listen nonsense', addresses: [address], hash: 'wrong' };
  await expect(system.configureProxy(network, wrong, never)).rejects.toThrow(
    'HAProxy did not load its configuration: [ALERT]',
  );
  const { Id } = firstOf(await cluster.parts('proxy-sandbox'));
  expect(await execIn(Id, 'wget', '-q', '-O-', `http://${address}/`)).toBe(answers.at(-1));
  await system.removeAll(never);
  expect(await cluster.volumes()).toEqual([]);
});
