import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pino } from 'pino';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { Issuer } from '#core/declarations/cluster.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { SystemImages } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { cleanUp, uniqueInstallation } from '../../../../../test/support/installation.ts';
import { createDockerEngine } from '../engine.ts';

const SOCKET = 'unix:///var/run/docker.sock';
/** Whoever connects has its own. */
const TLS = { ca: { env: 'CA' }, cert: { env: 'CERT' }, key: { env: 'KEY' } };
export const never = new AbortController().signal;
export const docker = connectDocker(SOCKET);

interface ListedPart {
  Id: string;
  Names: string[];
  Labels: Record<string, string>;
  State: string;
}

/** A cluster of its own on this machine's Docker, with a hand that can harm it. */
export interface DockerCluster {
  installation: string;
  /** Where Ingresses are served: others may be served on this machine. */
  ingress: { httpPort: number; httpsPort: number };
  startEngine(overrides?: {
    installation?: string;
    images?: SystemImages;
    docker?: Docker;
    /** By which it is reached. */
    address?: string;
    issuers?: Issuer[];
    headerKb?: number;
  }): Engine;
  /** Containers with that role (`sandbox`, `container`, `proxy`, …). */
  parts(role: string): Promise<ListedPart[]>;
  /** Containers of pods by the name they have there. */
  named(container: string): Promise<ListedPart[]>;
  volumes(): Promise<string[]>;
  /** Closes the engines and removes whatever is left. */
  remove(): Promise<void>;
}

export function createDockerCluster(): DockerCluster {
  const installation = uniqueInstallation();
  const engines: Engine[] = [];
  const first = 10_000 + 2 * randomInt(4_000);
  const ingress = { httpPort: first, httpsPort: first + 1 };
  const filters = JSON.stringify({ label: [`windlass.dev/installation=${installation}`] });

  async function all(): Promise<ListedPart[]> {
    return callDocker<ListedPart[]>(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters },
      signal: never,
    });
  }

  async function parts(role: string): Promise<ListedPart[]> {
    return (await all()).filter(({ Labels }) => Labels['windlass.dev/role'] === role);
  }

  async function volumes(): Promise<string[]> {
    const { Volumes } = await callDocker<{ Volumes: { Name: string }[] | null }>(docker, {
      method: 'GET',
      path: '/volumes',
      query: { filters },
      signal: never,
    });
    return (Volumes ?? []).map(({ Name }) => Name);
  }

  return {
    installation,
    ingress,
    startEngine({ issuers = [], headerKb, address = SOCKET, ...overrides } = {}) {
      const engine = createDockerEngine({
        cluster: Cluster.parse({
          apiVersion: 'windlass.dev/v1',
          kind: 'Cluster',
          metadata: { name: 'test' },
          spec: {
            engine: 'docker',
            servers: [
              { name: 'me', docker: address, ...(address.startsWith('tcp:') ? { tls: TLS } : {}) },
            ],
            ingress: { ...ingress, issuers, headerKb },
          },
        }),
        docker,
        installation,
        sealKey: 'k',
        images: SYSTEM_IMAGES,
        readCredentials: () => Promise.resolve(undefined),
        log: pino({ level: 'silent' }),
        ...overrides,
      });
      engines.push(engine);
      return engine;
    },
    parts,
    async named(container) {
      const found = await parts('container');
      return found.filter(({ Labels }) => Labels['windlass.dev/container'] === container);
    },
    volumes,
    async remove() {
      await Promise.all(engines.map((engine) => engine.close()));
      await cleanUp(installation);
    },
  };
}

type Harm =
  | 'stop'
  | 'kill'
  | 'pause'
  | 'restart'
  | 'remove'
  | { rename: string }
  | { signal: 'SIGUSR2' }
  | { memory: number };

/** What somebody does by hand. */
export async function harm(id: string, how: Harm): Promise<void> {
  const path = `/containers/${id}`;
  if (how === 'remove') {
    await removeContainer(id);
  } else if (typeof how === 'string') {
    const query = how === 'stop' || how === 'restart' ? { t: 1 } : {};
    await callDocker(docker, { method: 'POST', path: `${path}/${how}`, query, signal: never });
  } else if ('signal' in how) {
    const query = { signal: how.signal };
    await callDocker(docker, { method: 'POST', path: `${path}/kill`, query, signal: never });
  } else if ('rename' in how) {
    await callDocker(docker, {
      method: 'POST',
      path: `${path}/rename`,
      query: { name: how.rename },
      signal: never,
    });
  } else {
    const body = { Memory: how.memory, MemorySwap: how.memory };
    await callDocker(docker, { method: 'POST', path: `${path}/update`, body, signal: never });
  }
  await sleep(300);
}

async function removeContainer(id: string): Promise<void> {
  await callDocker(docker, {
    method: 'DELETE',
    path: `/containers/${id}`,
    query: { force: true, v: true },
    signal: never,
  }).catch((error: unknown) => {
    // A pod was ending by itself.
    if (!isStatus(error, 404) && !isStatus(error, 409)) throw error;
  });
}

export function desire(resources: Resource[], owner = 'shop/test'): DesiredState {
  return { owner, release: 'r1', resources };
}

/** Passes until the first owner serves (or as asked), as the controller makes them. */
export async function settle(
  engine: Engine,
  desired: DesiredState | readonly DesiredState[],
  until: (status: OwnerStatus) => boolean = ({ serving }) => serving,
  timeoutMs = 40_000,
): Promise<OwnerStatus> {
  const end = Date.now() + timeoutMs;
  const wanted = 'owner' in desired ? [desired] : desired;
  for (;;) {
    const [status] = (await engine.reconcile(wanted, never)).owners;
    if (status !== undefined && until(status)) return status;
    if (Date.now() > end)
      throw new Error(`did not settle: ${JSON.stringify(status, undefined, 1)}`);
    await sleep(100);
  }
}

export async function execIn(id: string, ...command: string[]): Promise<string> {
  const { stdout } = await runInContainer(docker, { container: id, command }, never);
  return stdout.trim();
}

/** Asks a port of the host on a connection of its own. */
export async function ask(port: number, path = '/'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    signal: AbortSignal.timeout(3_000),
    headers: { connection: 'close' },
  });
  return (await response.text()).trim();
}

export function firstOf<T>(items: readonly T[]): T {
  const [first] = items;
  if (first === undefined) throw new Error('there is none');
  return first;
}
