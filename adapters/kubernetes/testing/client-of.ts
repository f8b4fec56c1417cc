import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createKubeClient } from '../client.ts';
import type { KubeClient } from '../client.ts';

/** Of what stands in for an API server, on a free port until the test ends. */
export async function clientOf(server: Server): Promise<KubeClient> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createKubeClient({ server: `http://127.0.0.1:${port}`, user: {} }, {});
  onTestFinished(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}
