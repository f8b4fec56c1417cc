import { once } from 'node:events';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { followLogs } from '#adapters/docker/logs.ts';
import type { EdgeConfig } from '#core/docker/world.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { startLoad } from '../../../../test/tools/load.ts';
import { ensureNetwork } from './network.ts';
import { createSandboxShell } from './sandbox-shell.ts';
import { createInternalCa } from './internal-ca.ts';
import { createSystemPod } from './system-pod.ts';
import type { SystemPod } from './system-pod.ts';
import { systemFolder } from './system-files.ts';
import {
  ask,
  createDockerCluster,
  docker,
  execIn,
  firstOf,
  never,
} from './testing/docker-cluster.ts';

const CHANGES = 25;
const cluster = createDockerCluster();
const context = {
  docker,
  isRemote: false,
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

const HEAD = `global
  noreuseport

defaults
  mode http
  option idle-close-on-response
  timeout connect 1s
  timeout client 1s
  timeout server 1s

frontend hand-over
  bind unix@/tmp/hand-over.sock
`;

function config(answer: string, address: string): { haproxy: string; addresses: string[] } {
  const haproxy = `${HEAD}
listen default.web:80
  bind ${address}:80
  http-request return status 200 content-type text/plain string "${answer}"
`;
  return { haproxy, addresses: [address] };
}

function edgeOn(ports: number[]): EdgeConfig {
  const sections = ports.map(
    (port) => `listen port.${port}
  bind *:${port}
  http-request return status 200 content-type text/plain string "${port}"
`,
  );
  return {
    haproxy: [HEAD, ...sections].join('\n'),
    scripts: [],
    certificates: [],
    users: [],
    ports,
    hash: ports.join(' '),
  };
}

function startSystem(): SystemPod {
  return createSystemPod(context, shell, createInternalCa('secret', 'test'), {
    canConnect: () => Promise.resolve(false),
    bring: () => Promise.resolve(),
  });
}

/** The process of HAProxy that has the connections. */
async function workerOf(id: string): Promise<number> {
  const path = `/containers/${id}/top`;
  const { Processes: processes } = await callDocker<{ Processes: string[][] }>(docker, {
    method: 'GET',
    path,
    query: { ps_args: '-o pid,ppid' },
    signal: never,
  });
  const masters = new Set(processes.map(([pid]) => pid));
  return Number(firstOf(processes.filter(([, parent]) => masters.has(parent)))[0]);
}

/** Resolves when it has written a line with that. */
async function says(id: string, words: string): Promise<void> {
  for await (const { line } of followLogs(docker, id, { follow: true }, never))
    if (line.includes(words)) return;
  throw new Error(`it ended before it said ${words}`);
}

async function said(id: string): Promise<string> {
  const lines: string[] = [];
  for await (const { line } of followLogs(docker, id, { follow: false }, never)) lines.push(line);
  return lines.join('\n');
}

it('serves each of many configurations that follow at once upon each other', async () => {
  const network = await ensureNetwork(context, undefined, never);
  const system = startSystem();
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

it('fails no request where the worker of before gets no time to hand over its sockets', async () => {
  const network = await ensureNetwork(context, undefined, never);
  const system = startSystem();
  const address = network.serviceRange.first;
  await system.configureProxy(network, { ...config('first', address), hash: '1' }, never);
  await system.configureProxy(network, { ...config('second', address), hash: '2' }, never);
  const { Id } = firstOf(await cluster.parts('proxy'));
  const load = startLoad({ url: `http://${address}/`, clients: 8 });
  const worker = await workerOf(Id);
  process.kill(worker, 'SIGSTOP');
  const loading = system.configureProxy(network, { ...config('third', address), hash: '3' }, never);
  await says(Id, 'Failed to get the sockets');
  process.kill(worker, 'SIGCONT');
  await loading;
  const answer = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5_000) });
  expect(await answer.text()).toBe('third');
  expect((await load.stop()).failures).toEqual([]);
  // As one does that is told to make room: it listens no more, and drops who waits.
  expect(await said(Id)).not.toContain('Paused');
});

it('serves a socket that was written down before and never listened on', async () => {
  const network = await ensureNetwork(context, undefined, never);
  const system = startSystem();
  const address = network.serviceRange.first;
  const { haproxy, addresses } = config('now', address);
  const more = `${haproxy}\nfrontend more\n  bind unix@/tmp/more.sock\n`;
  await system.configureProxy(network, { haproxy, addresses, hash: '4' }, never);
  const { Id } = firstOf(await cluster.parts('proxy-sandbox'));
  const file = `${systemFolder('proxy')}/haproxy.cfg`;
  await shell.run(Id, `printf '%s' '${more}' > ${file}`, never);
  const next = startSystem().configureProxy(
    network,
    { haproxy: more, addresses, hash: '5' },
    never,
  );
  await expect(next).resolves.toBeUndefined();
});

it('serves its other ports as before where another program has one', async () => {
  const network = await ensureNetwork(context, undefined, never);
  const system = startSystem();
  const [port, other] = [cluster.ingress.httpPort, cluster.ingress.httpsPort];
  await system.configureEdge(network, edgeOn([port]), never);
  // Where none looks for it: only who listens everywhere meets it.
  const rival = createServer().listen(other, '127.0.0.5');
  await once(rival, 'listening');
  const load = startLoad({ url: `http://127.0.0.1:${port}/`, clients: 8 });
  try {
    await system.configureEdge(network, edgeOn([port, other]), never);
    const { taken } = await system.observe([], never);
    expect(taken?.ports).toEqual([{ port: other, protocol: 'TCP' }]);
    const { Id } = firstOf(await cluster.parts('edge'));
    expect(await said(Id)).not.toMatch(/Paused|cannot bind/);
    expect((await load.stop()).failures).toEqual([]);
  } finally {
    rival.close();
  }
  system.retryPorts();
  await system.configureEdge(network, edgeOn([port, other]), never);
  expect(await ask(other)).toBe(String(other));
  await system.removeAll(never);
});
