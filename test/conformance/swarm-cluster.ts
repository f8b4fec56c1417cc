import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptForSwarm } from '#core/swarm/accept.ts';
import { startOwnSwarm } from '../../workers/deploy/engines/swarm/testing/swarm-cluster.ts';
import { askIngress } from './ask-ingress.ts';
import type { ConformanceCluster } from './cluster.ts';
import { startEngineCluster } from './engine-cluster.ts';
import { startPrivateRegistry } from './private-registry.ts';
import type { PrivateRegistry } from './private-registry.ts';
import { startGate } from '../tools/gate.ts';
import type { Gate } from '../tools/gate.ts';

/** Asks as a program of the server would: the swarm has a network of its own. */
const GET = `const signal = AbortSignal.timeout(5000);
const answer = await fetch(process.argv[1], { signal, headers: { connection: 'close' } });
process.stdout.write(await answer.text());`;

/** The swarm engine on a swarm of one server, which is its own Docker engine. */
export async function startSwarmCluster(): Promise<
  ConformanceCluster & { remove(): Promise<void> }
> {
  const swarm = await startOwnSwarm();
  let registry: Promise<PrivateRegistry> | undefined;
  let gate: Gate | undefined;
  const folder = await mkdtemp(join(tmpdir(), 'windlass-doors-'));
  const doors = { http: await lead('http', 80), https: await lead('https', 443) };

  async function lead(scheme: string, port: number): Promise<{ socketPath: string }> {
    const socketPath = join(folder, scheme);
    await swarm.lead({ path: socketPath }, { host: '127.0.0.1', port });
    return { socketPath };
  }

  /** On this machine, and led to from the swarm. */
  function privateRegistry(): Promise<PrivateRegistry> {
    registry ??= startPrivateRegistry().then(async (started) => {
      const port = Number(started.host.split(':')[1]);
      const address = { host: '127.0.0.1', port };
      const path = join(folder, 'registry');
      gate = await startGate(address, { path });
      await swarm.lead(address, { path });
      return started;
    });
    return registry;
  }

  function get(port: number, path: string): Promise<string> {
    const url = `http://127.0.0.1:${port}${path}`;
    return swarm.run([process.execPath, '--input-type=module', '-e', GET, url]);
  }

  return startEngineCluster(swarm.startEngine(), {
    explains: true,
    accept: acceptForSwarm,
    get,
    exchange: (port, datagram) =>
      swarm.run([
        process.execPath,
        join(import.meta.dirname, '../tools/exchange-process.ts'),
        String(port),
        Buffer.from(datagram).toString('base64'),
      ]),
    privateRegistry: async () => (await privateRegistry()).host,
    push: async (image) => (await privateRegistry()).push(image),
    askIngress: (request) => askIngress(request, doors),
    // Each of the servers.
    askBalancer: ({ port }, path) => get(port, path),
    async close() {
      await (await registry)?.stop();
      await gate?.close();
      await swarm.stop();
      await rm(folder, { recursive: true });
    },
  });
}
