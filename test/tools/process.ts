import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool } from '#adapters/debian/tool.ts';
import type { ToolSpec } from '#adapters/debian/tool.ts';
import { NODE_PORTS } from '#core/docker/kinds-service.ts';

const START_TIMEOUT_MS = 10_000;

export interface Running {
  pid: number;
  ended: Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A command, as words, that gets the signal when this process ends, whatever ends that. */
export function endedWithUs(
  words: readonly string[],
  signal: 'KILL' | 'TERM' = 'KILL',
): [string, ...string[]] {
  return ['setpriv', '--pdeathsig', signal, '--', ...words];
}

/** Starts a server and waits until it takes connections at `address`. What the machine lacks is kept for the next run. */
export async function startServer(
  spec: ToolSpec,
  args: readonly string[],
  address: { path: string } | { host: string; port: number },
  /** A command that runs the server, such as one that gives it a namespace. */
  wrapper: readonly string[] = [],
): Promise<Running> {
  const search = { tools: join(tmpdir(), 'windlass-test-tools'), path: process.env['PATH'] ?? '' };
  const tool = await findTool(spec, search, AbortSignal.timeout(60_000));
  const [command, ...rest] = endedWithUs([...wrapper, tool.command, ...tool.args, ...args]);
  const child = spawn(command, rest, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(address))) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`${spec.program} did not start`);
    await sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    ended,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}

function answers(address: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

const given = new Set<number>();

/** A port for a Service's nodePort that nothing on this machine listens on, also not what an earlier test left. */
export async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = randomInt(NODE_PORTS.first, NODE_PORTS.last + 1);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
