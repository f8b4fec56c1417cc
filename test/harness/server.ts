import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { callDocker, openStream } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { Reach } from '#core/declarations/cluster-server.ts';
import { messageOf } from '#core/errors.ts';
import { makeDoor } from './door.ts';
import type { DoorKind } from './door.ts';
import type { HarnessNetwork } from './network.ts';

const TIMEOUT_MS = 120_000;
const POLL_MS = 100;
const LOG_TAIL = 2_000;
/**
 * What was at /run is gone, as after a power cut. The input closes when whoever started it is gone; then this first process
 * of the namespace ends, and all others with it.
 */
const SCRIPT = `
set -e
mount --bind "$1" /run
rm -rf /run/*
echo "$2" > /proc/sys/kernel/hostname
data=$3 cgroup=$4 log=$5 options=$6
shift 6
read cable
dockerd --host unix:///run/docker.sock $options --data-root "$data" --exec-root /run/docker --cgroup-parent "$cgroup" >>"$log" 2>&1 &
if [ $# -gt 0 ]; then "$@" >>"$log" 2>&1 & fi
cat >/dev/null
`;

/** A Docker server of its own: processes, network, name and disk. */
export interface HarnessServer {
  name: string;
  /** Where the other servers reach it. */
  address: string;
  /** Of Docker, for this machine. */
  docker: string;
  client: Docker;
  /** Of Docker, as a cluster's file says it: by ssh or TLS where it has that, for whoever is on the servers' network. */
  reach: Reach;
  /** Starts it, also again with what is on its disk. */
  start(): Promise<void>;
  /** As a power cut does. */
  kill(): Promise<void>;
  /** Its cable: Docker still answers this machine. */
  unplug(): Promise<void>;
  plugIn(): Promise<void>;
  /** An empty disk, as of a new machine; while it is off. */
  wipe(): Promise<void>;
  /** Takes images over from the machine's own Docker. */
  load(images: readonly string[]): Promise<void>;
}

export async function createServer(
  { name, index, door: kind }: { name: string; index: number; door: DoorKind },
  folder: string,
  network: HarnessNetwork,
  cgroup: string,
): Promise<HarnessServer> {
  const run = join(folder, 'run');
  const data = join(folder, 'data');
  const logFile = join(folder, 'dockerd.log');
  const socket = join(run, 'docker.sock');
  const docker = `unix://${socket}`;
  const address = network.addressOf(index);
  const door = await makeDoor(kind, join(folder, 'door'), { address, socket });
  const client = connectDocker(docker);
  let child: ChildProcess | undefined;
  let cable = '';

  async function start(): Promise<void> {
    await mkdir(run, { recursive: true });
    const namespaces = ['--net', '--mount', '--uts', '--pid', '--fork', '--mount-proc'];
    const options = door.options.join(' ');
    const said = [run, name, data, cgroup, logFile, options, ...door.command];
    const args = ['sh', '-c', SCRIPT, 'sh', ...said];
    const started = spawn('unshare', [...namespaces, '--kill-child', ...args], {
      stdio: ['pipe', 'inherit', 'inherit'],
      detached: true,
    });
    child = started;
    await isolated(started.pid ?? 0);
    cable = await network.plug(index, started.pid ?? 0);
    started.stdin.write('plugged\n');
    await untilAnswering(started);
  }

  async function untilAnswering(started: ChildProcess): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const trouble = await callDocker(client, {
        method: 'GET',
        path: '/_ping',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      }).then(() => undefined, messageOf);
      if (trouble === undefined) return;
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`${trouble}: ${(await readFile(logFile, 'utf8')).slice(-LOG_TAIL)}`);
      await sleep(POLL_MS);
    }
  }

  return {
    name,
    address,
    docker,
    client,
    reach: door.reach,
    start,
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    unplug: () => network.set(cable, 'down'),
    plugIn: () => network.set(cable, 'up'),
    wipe: () => rm(data, { recursive: true, force: true, maxRetries: 20, retryDelay: POLL_MS }),
    async load(images) {
      const machine = connectDocker('unix:///var/run/docker.sock');
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      for (const image of images) {
        const path = `/images/${encodeURIComponent(image)}/get`;
        const file = await openStream(machine, { method: 'GET', path, signal });
        await callDocker(client, { method: 'POST', path: '/images/load', file, signal });
      }
    },
  };
}

/** Until the process has the network of its own. */
async function isolated(pid: number): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while ((await readlink(`/proc/${pid}/ns/net`)) === (await readlink('/proc/self/ns/net'))) {
    if (Date.now() > deadline) throw new Error('no namespace: this needs root');
    await sleep(POLL_MS);
  }
}
