import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { callDocker, isStatus, openStream } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { ensureImages } from '#adapters/images/ensure.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Address } from './gate.ts';
import { endedWithUs } from './process.ts';
import { mountSmallDisk } from './small-disk.ts';
import type { SmallDisk } from './small-disk.ts';

const SOCKET = '/var/run/docker.sock';
const TIMEOUT_MS = 60_000;
/** For all of its images. */
const LOAD_MS = 240_000;
const LOG_TAIL = 2_000;
const ANSWER_MS = 5_000;

/** A Docker engine beside the machine's own, with a network and a `/run` of its own, that a test can do anything to. */
export interface OwnDockerd {
  docker: Docker;
  disk?: SmallDisk;
  /** Where it is reached from outside; within, it is `/var/run/docker.sock`. */
  socket: string;
  /** The words before a command that is to run within. */
  within: readonly [string, ...string[]];
  /** Runs a command within; answers what it prints. */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** What is answered there to a GET from within, with a status below 400. */
  ask(url: string): Promise<string>;
  /** Leads from an address within to one of this machine, or the other way: sockets by their path are the same here and there. */
  lead(from: Address, to: Address): Promise<void>;
  /** Ends it and starts it again; `work` is done while there is none. */
  restart(signal: NodeJS.Signals, work?: () => Promise<void>): Promise<void>;
  removeContainers(): Promise<void>;
  stop(): Promise<void>;
}

interface RunOptions {
  cwd?: string;
  environment?: Record<string, string>;
  timeoutMs?: number;
}

/**
 * Its data are in `folder`, on a disk of their own where its size is said; it has the images that Windlass runs. With
 * `options` of dockerd it listens on its socket all the same.
 */
export async function startOwnDockerd(
  folder: string,
  disk?: { megabytes: number },
  options: readonly string[] = [],
): Promise<OwnDockerd> {
  const run = join(folder, 'run');
  await mkdir(run, { recursive: true });
  const data = join(folder, 'data');
  const small = disk === undefined ? undefined : await mountSmallDisk(data, disk.megabytes);
  const socket = join(run, 'docker.sock');
  const docker = connectDocker(`unix://${socket}`);
  // Holds the network and the mounts while there is no dockerd.
  const script = 'mount --bind "$0" /run && echo ready && exec sleep infinity';
  const hold = endedWithUs(['unshare', '--net', '--mount', 'sh', '-c', script, run]);
  const holder = spawn(hold[0], hold.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const relays: ChildProcess[] = [];
  const enter = [`--target=${holder.pid}`, '--net', '--mount'];
  const within = ['nsenter', ...enter, `--wd=${process.cwd()}`] as const;
  let child = await start();
  await load(docker);
  await bringUpLoopback(docker);

  async function start(): Promise<ChildProcess> {
    const logFile = join(folder, 'dockerd.log');
    const log = await open(logFile, 'a');
    const own = [`--data-root=${data}`, '--exec-root=/run/docker', `--host=unix://${SOCKET}`];
    // It ends its containers first.
    const words = endedWithUs(['nsenter', ...enter, 'dockerd', ...own, ...options], 'TERM');
    const started = spawn(words[0], words.slice(1), {
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await answers(docker))) {
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error((await readFile(logFile, 'utf8')).slice(-LOG_TAIL));
      await sleep(50);
    }
    return started;
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    // Where nobody reaps what was killed, its containerd seems to be there still.
    await rm(join(run, 'docker', 'containerd', 'containerd.pid'), { force: true });
  }

  function runWithin(
    args: readonly string[],
    { cwd = process.cwd(), environment = {}, timeoutMs = TIMEOUT_MS }: RunOptions = {},
  ): Promise<string> {
    return runProgram({
      command: 'nsenter',
      args: [...enter, `--wd=${cwd}`, ...args],
      environment,
      timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
    });
  }

  return {
    docker,
    socket,
    within,
    run: runWithin,
    ask(url) {
      const code = `const answer = await fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(${ANSWER_MS}) });
        if (!answer.ok) throw new Error(String(answer.status));
        process.stdout.write(await answer.text());`;
      return runWithin([process.execPath, '--input-type=module', '--eval', code]);
    },
    async lead(from, to) {
      const addresses = [from, to].map((address) => JSON.stringify(address));
      const relay = join(import.meta.dirname, 'relay-process.ts');
      const args = [...enter, process.execPath, relay, ...addresses];
      const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'] });
      relays.push(child);
      await once(child.stdout, 'data');
    },
    async restart(signal, work) {
      await end(signal);
      await work?.();
      child = await start();
    },
    ...(small === undefined ? {} : { disk: small }),
    removeContainers: () => removeAll(docker),
    async stop() {
      await removeAll(docker);
      for (const relay of relays) relay.kill();
      await end('SIGTERM');
      const ended = once(holder, 'exit');
      holder.kill('SIGKILL');
      await ended;
      await small?.unmount();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Whoever has no `ip` has one in BusyBox. */
async function bringUpLoopback(docker: Docker): Promise<void> {
  const { Id } = await call<{ Id: string }>(
    docker,
    'POST',
    '/containers/create',
    {},
    {
      Image: SYSTEM_IMAGES.sandbox,
      Cmd: ['ip', 'link', 'set', 'lo', 'up'],
      HostConfig: { NetworkMode: 'host', CapAdd: ['NET_ADMIN'] },
    },
  );
  await call(docker, 'POST', `/containers/${Id}/start`);
  await call(docker, 'POST', `/containers/${Id}/wait`);
  await call(docker, 'DELETE', `/containers/${Id}`);
}

async function answers(docker: Docker): Promise<boolean> {
  try {
    await call(docker, 'GET', '/_ping');
    return true;
  } catch {
    return false;
  }
}

async function load(docker: Docker): Promise<void> {
  const machine = connectDocker(`unix://${SOCKET}`);
  const signal = AbortSignal.timeout(LOAD_MS);
  const search = { tools: join(tmpdir(), 'windlass-tools'), path: process.env['PATH'] ?? '' };
  for (const { image } of await ensureImages(machine, SYSTEM_IMAGES, search, signal)) {
    const path = `/images/${encodeURIComponent(image)}/get`;
    const file = await openStream(machine, { method: 'GET', path, signal });
    await callDocker(docker, { method: 'POST', path: '/images/load', file, signal });
  }
}

async function removeAll(docker: Docker): Promise<void> {
  const all = await call<{ Id: string }[]>(docker, 'GET', '/containers/json', { all: true });
  for (const { Id } of all) {
    await call(docker, 'DELETE', `/containers/${Id}`, { force: true, v: true }).catch(
      (error: unknown) => {
        // Somebody else is at it already, or has done it.
        if (!isStatus(error, 409) && !isStatus(error, 404)) throw error;
      },
    );
  }
}

function call<T>(
  docker: Docker,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  query = {},
  body: unknown = {},
): Promise<T> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return callDocker<T>(docker, { method, path, query, body, signal });
}
