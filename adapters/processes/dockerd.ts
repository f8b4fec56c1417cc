import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '#core/errors.ts';
import { hasApt, installPackages } from '#adapters/debian/apt.ts';
import { findOnPath } from '#adapters/debian/find-on-path.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { askSocket } from './ask-socket.ts';
import { startOf } from './identity.ts';
import { stopProcess } from './stop-process.ts';

const START_TIMEOUT_MS = 60_000;
const CHECK_MS = 100;
const STOP_MS = 30_000;
const SYSTEMCTL_TIMEOUT_MS = 90_000;
const PACKAGES = ['docker.io', 'iptables'];
const INSTALL = 'install Docker Engine (docs.docker.com/engine/install) and start it';
const PING = 'GET /_ping HTTP/1.0\r\n\r\n';

export interface DockerdRequest {
  /** Path of the socket it answers on. */
  socket: string;
  logFile: string;
  /** As in the environment. */
  path: string;
  /** Further arguments of a dockerd started here. */
  args?: readonly string[];
  isSystemd?: boolean;
  onStep: (what: string) => void;
}

export interface Dockerd {
  /** Of a dockerd that was started here, by hand and not as a service. */
  startedPid?: number;
}

/** Makes the Docker Engine answer: installs it on Debian as root, starts it. It is left running. */
export async function ensureDockerd(
  request: DockerdRequest,
  signal: AbortSignal,
): Promise<Dockerd> {
  const { socket, path, onStep } = request;
  if (await answers(socket)) return {};
  await refuseForbidden(socket);
  if ((await findOnPath('dockerd', path)) === undefined) {
    await install(path, onStep, signal);
    // Its package may have started it.
    if (await answers(socket)) return {};
  }
  if (process.getuid?.() !== 0) {
    throw new UserError('unavailable', 'the Docker Engine does not run', {
      hint: 'start it as root: `systemctl start docker`, or `dockerd` where there is no systemd',
    });
  }
  onStep('starting the Docker Engine');
  if (request.isSystemd ?? (await runsSystemd())) {
    const args = ['start', 'docker'];
    await runProgram({ command: 'systemctl', args, timeoutMs: SYSTEMCTL_TIMEOUT_MS, signal });
    await waitUntilItAnswers(request, undefined, signal);
    return {};
  }
  const startedPid = await spawnDockerd(request, signal);
  const started = await startOf(startedPid);
  try {
    await waitUntilItAnswers(request, startedPid, signal);
  } catch (error) {
    if (started !== undefined) await stopProcess({ pid: startedPid, started }, STOP_MS);
    throw error;
  }
  return { startedPid };
}

async function answers(socket: string): Promise<boolean> {
  return (await askSocket({ path: socket }, PING))?.startsWith('HTTP/1') === true;
}

async function refuseForbidden(socket: string): Promise<void> {
  try {
    await access(socket, 6);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EACCES') return;
    throw new UserError('unauthorized', `${socket} may not be used by this user`, {
      hint: 'add the user to the group docker: `sudo usermod -aG docker $USER`, and log in again',
    });
  }
}

async function install(
  path: string,
  onStep: DockerdRequest['onStep'],
  signal: AbortSignal,
): Promise<void> {
  if (!(await hasApt(path))) {
    throw new UserError('missing-tool', 'there is no Docker Engine on this machine', {
      hint: INSTALL,
    });
  }
  if (process.getuid?.() !== 0) {
    throw new UserError('missing-tool', 'there is no Docker Engine on this machine', {
      hint: `as root: apt-get install ${PACKAGES.join(' ')}`,
    });
  }
  onStep(`installing ${PACKAGES.join(' and ')}`);
  await installPackages(PACKAGES, signal);
}

async function runsSystemd(): Promise<boolean> {
  try {
    await access('/run/systemd/system');
    return true;
  } catch {
    return false;
  }
}

async function spawnDockerd(
  { logFile, path, socket, args = [] }: DockerdRequest,
  signal: AbortSignal,
): Promise<number> {
  await mkdir(dirname(logFile), { recursive: true });
  const output = await open(logFile, 'a');
  const command = (await findOnPath('dockerd', path)) ?? 'dockerd';
  const child = spawn(command, ['--host', `unix://${socket}`, ...args], {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    env: { ...process.env, PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin` },
  });
  try {
    await once(child, 'spawn', { signal });
  } finally {
    await output.close();
  }
  child.unref();
  return child.pid ?? 0;
}

async function waitUntilItAnswers(
  { socket, logFile }: DockerdRequest,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(socket))) {
    const hasEnded = pid !== undefined && (await startOf(pid)) === undefined;
    if (hasEnded || Date.now() > deadline) {
      throw new UserError(
        'unavailable',
        `the Docker Engine does not start: ${await why(logFile)}`,
        {
          hint: pid === undefined ? 'see `journalctl -u docker`' : `its log is ${logFile}`,
        },
      );
    }
    await sleep(CHECK_MS, undefined, { signal });
  }
}

async function why(logFile: string): Promise<string> {
  try {
    return (await readFile(logFile, 'utf8')).trim().split('\n').slice(-3).join('\n');
  } catch {
    return 'it does not answer';
  }
}
