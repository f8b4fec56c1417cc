import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from '#adapters/debian/tool.ts';
import { freePort } from '../tools/process.ts';
import { waitUntil } from '../support/windlass.ts';
import { startOwnDockerd } from '../tools/dockerd.ts';
import type { OwnDockerd } from '../tools/dockerd.ts';

const EXAMPLE = 'http://127.0.0.1:30080/';

/** `npm start` without its setting up, as a process of its own group. */
interface Started {
  child: ChildProcess;
  told: () => string;
}

/** The machine's own may have the example already, of whoever tried it. */
let dockerd: OwnDockerd;
let folder = '';
let listen = '';
let last: Started | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-start-'));
  dockerd = await startOwnDockerd(await mkdtemp(join(tmpdir(), 'windlass-start-dockerd-')));
  // What it would fetch: there is no way out of the network that it starts in.
  const search = { tools: join(folder, 'tools'), path: process.env['PATH'] ?? '' };
  for (const tool of [REDIS_SERVER, DOCKER_REGISTRY])
    await findTool(tool, search, AbortSignal.timeout(60_000));
  listen = `127.0.0.1:${await freePort()}`;
});
afterAll(async () => {
  last?.child.kill('SIGKILL');
  for (const name of ['redis-server', 'docker-registry']) await killLeft(name);
  await dockerd.stop();
  await rm(folder, { recursive: true });
});

function start(): Started {
  const [command, ...words] = dockerd.within;
  const program = ['apps/start/main.ts', '--state', folder, '--listen', listen];
  const child = spawn(command, [...words, process.execPath, ...program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
  }
  last = { child, told: () => told };
  return last;
}

async function up(started: Started): Promise<void> {
  await waitUntil(
    () => Promise.resolve(started.told().includes('Windlass is up') || hasEnded(started.child)),
    'the start',
    120_000,
  );
  expect(started.told()).toContain('Windlass is up');
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Sends it to the whole group, as a terminal does, and answers the exit code. */
async function end({ child }: Started, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit');
  process.kill(-(child.pid ?? 0), signal);
  await ended;
  return child.exitCode;
}

/** Pids of the programs of that name that run with files of the state folder. */
async function running(name: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(name) && command.includes(folder)) found.push(Number(pid));
  }
  return found;
}

async function killLeft(name: string): Promise<void> {
  for (const pid of await running(name)) process.kill(pid, 'SIGKILL');
}

it('brings the example to serve, and tells where', async () => {
  const started = start();
  await up(started);
  expect(started.told()).toContain('DEPLOYED hello');
  expect(started.told()).toContain(`Example      ${EXAMPLE}`);
  expect(await dockerd.ask(EXAMPLE)).toContain('Hello from Windlass');
});

it('stops cleanly at a Ctrl-C that arrives twice, and leaves what is deployed running', async () => {
  const started = last;
  if (started === undefined) throw new Error('it was not started');
  const ended = end(started, 'SIGINT');
  if (!hasEnded(started.child)) process.kill(-(started.child.pid ?? 0), 'SIGINT');
  expect(await ended).toBe(0);
  expect(await running('redis-server')).toEqual([]);
  expect(await running('docker-registry')).toEqual([]);
  expect(await dockerd.ask(EXAMPLE)).toContain('Hello from Windlass');
});

it('takes up where it was, and takes over what a SIGKILL left behind', async () => {
  const again = start();
  await up(again);
  expect(again.told()).not.toContain('DEPLOYED');
  const redis = await running('redis-server');
  await end(again, 'SIGKILL');
  expect(await running('redis-server')).toEqual(redis);
  const third = start();
  await up(third);
  expect(third.told()).toContain('taken over');
  expect(await running('redis-server')).toEqual(redis);
  expect(await dockerd.ask(EXAMPLE)).toContain('Hello from Windlass');
  expect(await end(third, 'SIGTERM')).toBe(0);
});
