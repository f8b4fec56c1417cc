import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { reachDocker } from '../test/conformance/reach-docker.ts';
import { figure, median } from './figure.ts';
import type { Figure } from './figure.ts';

const SOCKET = 'unix:///var/run/docker.sock';
const NEVER = new AbortController().signal;
const WARM_UP = 2;
const ROUNDS = 15;
const INSPECTIONS = 100;
const EXECS_AT_ONCE = 12;
const MEGABYTES = 20;
const TARGET = 3;

type Operation = (docker: Docker, container: string) => Promise<unknown>;

const IN_ORDER = `${INSPECTIONS} inspections of a container, one after another`;
const OPERATIONS: Readonly<Record<string, Operation>> = {
  async [IN_ORDER](docker, container) {
    for (let count = 0; count < INSPECTIONS; count += 1) await inspect(docker, container);
  },
  async [`${INSPECTIONS} inspections of a container at once`](docker, container) {
    await Promise.all(Array.from({ length: INSPECTIONS }, () => inspect(docker, container)));
  },
  'a command in a container': (docker, container) => run(docker, container, ['true']),
  async [`${EXECS_AT_ONCE} commands in a container at once`](docker, container) {
    const all = Array.from({ length: EXECS_AT_ONCE }, () => run(docker, container, ['true']));
    await Promise.all(all);
  },
  [`a command that writes ${MEGABYTES} MB`]: (docker, container) =>
    run(docker, container, ['head', '-c', String(MEGABYTES * 1_000_000), '/dev/zero']),
};

/** What the same costs over ssh and on the socket, in turns, of the same Docker. */
export async function remoteOperation(): Promise<Figure> {
  const here = connectDocker(SOCKET);
  const there = await reachDocker('ssh', '');
  const container = await startContainer(here);
  const times = new Map<string, { ours: number[]; peer: number[] }>();
  const first: number[] = [];
  try {
    // With the key exchange and the login.
    first.push(await timed(() => inspect(there.docker, container)));
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      for (const [name, operation] of Object.entries(OPERATIONS)) {
        const ours = await timed(() => operation(there.docker, container));
        const peer = await timed(() => operation(here, container));
        if (round < WARM_UP) continue;
        const known = times.get(name) ?? { ours: [], peer: [] };
        times.set(name, { ours: [...known.ours, ours], peer: [...known.peer, peer] });
      }
    }
  } finally {
    await callDocker(here, {
      method: 'DELETE',
      path: `/containers/${container}`,
      query: { force: true },
      signal: NEVER,
    });
    await there.close();
  }
  const rows = [...times].map(([name, { ours, peer }]) => {
    const [far, near] = [median(ours), median(peer)];
    return [name, far, near, (far / near).toFixed(2)];
  });
  return {
    ...figure(
      'remote-operation',
      times.get(IN_ORDER) ?? { ours: [], peer: [] },
      TARGET,
      `${IN_ORDER}, over ssh:// to an OpenSSH server on the same machine, beside the same on Docker's socket: no network is in between, what is counted is ssh itself`,
    ),
    beside: {
      head: ['operation', 'over ssh (ms)', 'on the socket (ms)', 'ratio'],
      rows: [...rows, ['the first inspection, with the login', median(first), '', '']],
    },
  };
}

async function startContainer(docker: Docker): Promise<string> {
  const { Id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: '/containers/create',
    body: { Image: SYSTEM_IMAGES.sandbox, Cmd: ['sleep', '86400'] },
    signal: NEVER,
  });
  await callDocker(docker, { method: 'POST', path: `/containers/${Id}/start`, signal: NEVER });
  return Id;
}

function inspect(docker: Docker, container: string): Promise<unknown> {
  const path = `/containers/${container}/json`;
  return callDocker(docker, { method: 'GET', path, signal: NEVER });
}

async function run(docker: Docker, container: string, command: string[]): Promise<void> {
  const { exitCode } = await runInContainer(docker, { container, command }, NEVER);
  if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
