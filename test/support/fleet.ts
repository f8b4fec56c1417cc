import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { writeFile } from 'node:fs/promises';
import type { ClusterList, FleetView } from '#core/api/cluster.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { DoorKind } from '../harness/door.ts';
import { createHarness } from '../harness/servers.ts';
import type { Harness } from '../harness/servers.ts';
import type { HarnessServer } from '../harness/server.ts';
import { startGate } from '../tools/gate.ts';
import type { Gate } from '../tools/gate.ts';
import { startLoad } from '../tools/load.ts';
import type { RunningLoad } from '../tools/load.ts';
import { startWindlass, waitUntil } from './windlass.ts';
import type { Windlass } from './windlass.ts';

const BECOMES_MS = 300_000;
const ANSWER_MS = 5_000;
const CLIENTS = 4;

/** What the file says of each server, by name; `manager` or `worker`, and more as YAML. */
export type Declared = Readonly<Record<string, string>>;

/** Windlass, and Docker servers of which it makes a swarm. */
export interface Fleet {
  windlass: Windlass;
  harness: Harness;
  server(name: string): HarnessServer;
  /** Writes the file of the cluster `fleet`. */
  declare(servers: Declared): Promise<void>;
  status(): Promise<FleetView>;
  /** Until the swarm has these servers, ready, and no others, and nothing is to be done. */
  untilAsDeclared(): Promise<FleetView>;
  /** What a port of the server answers whoever is on the servers' network, and asks for that host. */
  ask(name: string, port: number, path?: string, host?: string): Promise<string>;
  /** Keeps asking it. */
  load(
    name: string,
    port: number,
    path: string,
  ): Promise<{ load: RunningLoad; close: () => Promise<void> }>;
  stop(): Promise<void>;
}

/** `pipelines` is what is declared beside the cluster. The deploy worker is on the servers' network. */
export async function startFleet(
  names: readonly string[],
  doors: Readonly<Record<string, DoorKind>>,
  first: Declared,
  pipelines: string,
): Promise<Fleet> {
  const harness = await createHarness(names, doors);
  await Promise.all(harness.servers.map((server) => server.start()));
  const { sandbox, proxy, nameServer } = SYSTEM_IMAGES;
  await Promise.all(harness.servers.map((server) => server.load([sandbox, proxy, nameServer])));
  let declared = first;
  let path = '';
  let gate: Gate | undefined;
  const windlass = await startWindlass(fileOf(first) + pipelines, {
    prepare: async (folder) => {
      path = join(folder, 'server.sock');
      return async () => gate?.close();
    },
    environment: async ({ server: there }) => {
      gate = await startGate(there, { path });
      await harness.network.lead(there, { path });
      return {};
    },
    within: { deploy: harness.network.within },
  });
  const sockets = new Map<string, Promise<string>>();

  function server(name: string): HarnessServer {
    const found = harness.servers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no server ${name}`);
    return found;
  }

  function fileOf(servers: Declared): string {
    const lines = Object.entries(servers).map(([name, role]) => {
      const { address, reach } = server(name);
      const reached = JSON.stringify(reach).slice(1, -1);
      return `    - { name: ${name}, advertise: ${address}, role: ${role}, ${reached} }`;
    });
    return `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: fleet }
spec:
  engine: swarm
  ingress: { servers: {} }
  servers:
${lines.join('\n')}
`;
  }

  async function status(): Promise<FleetView> {
    const { clusters } = await windlass.get<ClusterList>('/api/v1/clusters');
    return clusters[0]?.fleet ?? { servers: [], problems: [] };
  }

  /** A socket of this machine that leads to a port of the server. */
  function socketTo(name: string, port: number): Promise<string> {
    const key = `${name}:${port}`;
    const path = join(windlass.folder, `${key}.sock`);
    const to = { host: server(name).address, port };
    const led = sockets.get(key) ?? harness.network.lead({ path }, to).then(() => path);
    sockets.set(key, led);
    return led;
  }

  return {
    windlass,
    harness,
    server,
    async declare(servers) {
      declared = servers;
      const file = join(windlass.folder, 'config', 'pipelines', 'all.yaml');
      await writeFile(file, fileOf(servers) + pipelines);
    },
    status,
    async untilAsDeclared() {
      let found: FleetView = { servers: [], problems: [] };
      async function isAsDeclared(): Promise<boolean> {
        found = await status();
        const ready = found.servers.filter(
          ({ state, pending, waiting, problem }) =>
            state === 'ready' && (pending ?? waiting ?? problem) === undefined,
        );
        const roles = ready.map(({ name, role }) => `${name} ${role}`);
        const wanted = Object.entries(declared).map(([name, said]) => `${name} ${said}`);
        return (
          found.problems.length === 0 &&
          found.servers.length === ready.length &&
          roles.toSorted().join() === wanted.toSorted().join()
        );
      }
      await waitUntil(isAsDeclared, 'the fleet', BECOMES_MS).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(found, undefined, 1)}`);
      });
      return found;
    },
    async ask(name, port, path = '/', host = name) {
      const socketPath = await socketTo(name, port);
      return get(socketPath, path, host);
    },
    async load(name, port, path) {
      const gate = await startGate({ path: await socketTo(name, port) });
      const url = `http://127.0.0.1:${gate.address.port}${path}`;
      return { load: startLoad({ url, clients: CLIENTS }), close: () => gate.close() };
    },
    async stop() {
      await windlass.stop();
      await harness.stop();
    },
  };
}

async function get(socketPath: string, path: string, host: string): Promise<string> {
  const headers = { host };
  const sent = request({ socketPath, path, headers, agent: false, timeout: ANSWER_MS });
  sent.once('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = await text(response);
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${body}`);
  return body.trim();
}
