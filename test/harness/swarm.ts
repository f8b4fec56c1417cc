import { callDocker } from '#adapters/docker/call.ts';
import { createHarness } from './servers.ts';
import type { Harness } from './servers.ts';
import type { HarnessServer } from './server.ts';
import { updateNodes } from './update-nodes.ts';

const PORT = 2377;
const TIMEOUT_MS = 60_000;

/** Servers of which the first is the manager and the others are workers of its swarm. */
export interface HarnessSwarm extends Harness {
  manager: HarnessServer;
  /** Asks the manager's Docker. */
  ask<T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    query?: object,
  ): Promise<T>;
  /** Sets labels and availability of the server's node. */
  setNode(
    name: string,
    spec: { Labels?: Record<string, string>; Availability?: string },
  ): Promise<void>;
}

/** Starts them with the images, and joins them. */
export async function startHarnessSwarm(
  names: readonly string[],
  images: readonly string[],
): Promise<HarnessSwarm> {
  const harness = await createHarness(names);
  const [manager, ...workers] = harness.servers;
  if (manager === undefined) throw new Error('a swarm has a manager');
  const { client, address } = manager;

  function ask<T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    query: object = {},
  ): Promise<T> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return callDocker<T>(client, { method, path, query: { ...query }, body, signal });
  }

  async function setNode(name: string, spec: object): Promise<void> {
    const updated = await updateNodes(
      client,
      ({ Description }) => Description.Hostname === name,
      (before) => ({ ...before, ...spec }),
    );
    if (updated === 0) throw new Error(`there is no node ${name}`);
  }

  try {
    await Promise.all(harness.servers.map((server) => server.start()));
    await Promise.all(harness.servers.map((server) => server.load(images)));
    const ListenAddr = `0.0.0.0:${PORT}`;
    await ask('POST', '/swarm/init', { ListenAddr, AdvertiseAddr: address });
    const { JoinTokens } = await ask<{ JoinTokens: { Worker: string } }>('GET', '/swarm');
    for (const worker of workers)
      await callDocker(worker.client, {
        method: 'POST',
        path: '/swarm/join',
        body: {
          ListenAddr,
          AdvertiseAddr: worker.address,
          RemoteAddrs: [`${address}:${PORT}`],
          JoinToken: JoinTokens.Worker,
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
  } catch (error) {
    await harness.stop();
    throw error;
  }
  return { ...harness, manager, ask, setNode };
}
