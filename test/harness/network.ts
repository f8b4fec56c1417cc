import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '#adapters/debian/run-program.ts';
import { findTool } from '#adapters/debian/tool.ts';
import type { Tool } from '#adapters/debian/tool.ts';
import type { Address } from '../tools/gate.ts';

const TIMEOUT_MS = 60_000;
const RELAY = join(import.meta.dirname, '..', 'tools', 'relay-process.ts');
const BRIDGE = 'servers';
const PREFIX = '10.99.0';
const ROOM = 1;
const FIRST_SERVER = 10;
const IP = {
  program: 'ip',
  packages: ['iproute2'],
  file: 'bin/ip',
  install: 'install iproute2 so that `ip` is on the PATH',
};

/** A network namespace with a bridge that servers are plugged into; it is gone with this process, whatever ends that. */
export interface HarnessNetwork {
  /** The words before a command that is to reach every server. */
  within: readonly [string, ...string[]];
  /** Runs such a command. */
  run(args: readonly string[]): Promise<string>;
  /** Runs `ip` so, with words that are parted by spaces. */
  ip(text: string): Promise<string>;
  /** Leads from an address on the network to one of this machine, or the other way: sockets by their path are of both. */
  lead(from: Address, to: Address): Promise<void>;
  addressOf(index: number): string;
  /** Gives the namespace of a process the server's cable; answers its name. */
  plug(index: number, pid: number): Promise<string>;
  /** Takes a cable out, or puts it in again. */
  set(cable: string, state: 'up' | 'down'): Promise<void>;
  stop(): Promise<void>;
}

export async function createNetwork(): Promise<HarnessNetwork> {
  const ip = await findIp();
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  await once(holder.stdout, 'data');
  const relays: ChildProcess[] = [];
  const within = ['nsenter', `--target=${holder.pid}`, '--net', '--'] as const;
  let plugged = 0;

  function runIn(pid: number | undefined, args: readonly string[]): Promise<string> {
    // Not `ip netns exec`: that hides the control groups.
    return runProgram({
      command: 'nsenter',
      args: [`--target=${pid}`, '--net', '--', ...args],
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }
  function configure(pid: number | undefined, text: string): Promise<string> {
    return runIn(pid, [ip.command, ...ip.args, ...text.split(' ')]);
  }
  function addressOf(index: number): string {
    return `${PREFIX}.${FIRST_SERVER + index}`;
  }

  await configure(holder.pid, 'link set lo up');
  await configure(holder.pid, `link add ${BRIDGE} type bridge`);
  await configure(holder.pid, `address add ${PREFIX}.${ROOM}/24 dev ${BRIDGE}`);
  await configure(holder.pid, `link set ${BRIDGE} up`);
  return {
    within,
    run: (args) => runIn(holder.pid, args),
    ip: (text) => configure(holder.pid, text),
    async lead(from, to) {
      const addresses = [from, to].map((address) => JSON.stringify(address));
      const [command, ...words] = within;
      const args = [...words, process.execPath, RELAY, ...addresses];
      const relay = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      relays.push(relay);
      await once(relay.stdout, 'data');
    },
    addressOf,
    async plug(index, pid) {
      plugged += 1;
      const cable = `server${plugged}`;
      // The same card again, so that the others' tables of addresses stay right.
      const card = `02:00:00:00:00:${(FIRST_SERVER + index).toString(16).padStart(2, '0')}`;
      const peer = `peer name eth0 address ${card} netns ${pid}`;
      await configure(holder.pid, `link add ${cable} type veth ${peer}`);
      await configure(holder.pid, `link set ${cable} master ${BRIDGE} up`);
      await configure(pid, 'link set lo up');
      await configure(pid, `address add ${addressOf(index)}/24 dev eth0`);
      await configure(pid, 'link set eth0 up');
      // And no way out: what asks for the world is told at once, and does not wait for answers.
      return cable;
    },
    async set(cable, state) {
      await configure(holder.pid, `link set ${cable} ${state}`);
    },
    async stop() {
      for (const relay of relays) relay.kill();
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    },
  };
}

function findIp(): Promise<Tool> {
  const search = { tools: join(tmpdir(), 'windlass-tools'), path: process.env['PATH'] ?? '' };
  return findTool(IP, search, AbortSignal.timeout(TIMEOUT_MS));
}
