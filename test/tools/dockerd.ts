import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { callDocker, openStream } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';

const TIMEOUT_MS = 60_000;
const LOG_TAIL = 2_000;

/** A Docker engine beside the machine's own, in a network of its own, that a test can do anything to. */
export interface OwnDockerd {
  docker: Docker;
  /** Ends it and starts it again; `work` is done while there is none. */
  restart(signal: NodeJS.Signals, work?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** Its data are in `folder`; it has the images that Windlass runs. */
export async function startOwnDockerd(folder: string): Promise<OwnDockerd> {
  await mkdir(folder, { recursive: true });
  const socket = join(folder, 'docker.sock');
  const docker = connectDocker(`unix://${socket}`);
  // Holds the network while there is no dockerd.
  const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  await once(holder, 'spawn');
  let child = await start();
  await load(docker);

  async function start(): Promise<ChildProcess> {
    const logFile = join(folder, 'dockerd.log');
    const log = await open(logFile, 'a');
    const own = {
      host: `unix://${socket}`,
      'data-root': join(folder, 'data'),
      'exec-root': join(folder, 'exec'),
      pidfile: join(folder, 'dockerd.pid'),
    };
    const options = Object.entries(own).map(([name, value]) => `--${name}=${value}`);
    const started = spawn('nsenter', [`--target=${holder.pid}`, '--net', 'dockerd', ...options], {
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
    await rm(join(folder, 'exec', 'containerd', 'containerd.pid'), { force: true });
  }

  return {
    docker,
    async restart(signal, work) {
      await end(signal);
      await work?.();
      child = await start();
    },
    async stop() {
      await removeAll(docker);
      await end('SIGTERM');
      holder.kill('SIGKILL');
      await unmountBelow(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
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
  const machine = connectDocker('unix:///var/run/docker.sock');
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (const image of Object.values({ ...SYSTEM_IMAGES })) {
    const path = `/images/${encodeURIComponent(image)}/get`;
    const file = await openStream(machine, { method: 'GET', path, signal });
    await callDocker(docker, { method: 'POST', path: '/images/load', file, signal });
  }
}

async function removeAll(docker: Docker): Promise<void> {
  const all = await call<{ Id: string }[]>(docker, 'GET', '/containers/json', { all: true });
  for (const { Id } of all)
    await call(docker, 'DELETE', `/containers/${Id}`, { force: true, v: true });
}

/** A dockerd that was killed leaves mounts. */
async function unmountBelow(folder: string): Promise<void> {
  for (;;) {
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    const paths = mounts.split('\n').map((line) => line.split(' ')[1] ?? '');
    const last = paths.findLast((path) => path.startsWith(folder));
    if (last === undefined) return;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await runProgram({ command: 'umount', args: ['-l', last], timeoutMs: TIMEOUT_MS, signal });
  }
}

function call<T>(docker: Docker, method: 'GET' | 'DELETE', path: string, query = {}): Promise<T> {
  return callDocker<T>(docker, { method, path, query, signal: AbortSignal.timeout(TIMEOUT_MS) });
}
