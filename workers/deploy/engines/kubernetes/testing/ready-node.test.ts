import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createKubeClient } from '#adapters/kubernetes/client.ts';
import { readyNode } from './ready-node.ts';
import type { ReadyNode } from './ready-node.ts';

function node(name: string, ready: string, address: string, spec: object = {}): object {
  const status = {
    conditions: [{ type: 'Ready', status: ready }],
    addresses: [
      { type: 'Hostname', address: name },
      { type: 'InternalIP', address },
    ],
  };
  return { metadata: { name, uid: name, resourceVersion: '1' }, spec, status };
}

/** Of an API server that has these nodes. */
async function readyOf(items: readonly object[]): Promise<ReadyNode | undefined> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createKubeClient({ server: `http://127.0.0.1:${port}`, user: {} }, {});
  onTestFinished(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return readyNode(client);
}

it('finds a node that takes pods, and whether it is this machine', async () => {
  const others = [
    node('away', 'False', '192.0.2.1'),
    node('cordoned', 'True', '192.0.2.2', { unschedulable: true }),
  ];
  expect(await readyOf(others)).toBeUndefined();
  const elsewhere = { name: 'far', address: '192.0.2.3', isHere: false };
  expect(await readyOf([...others, node('far', 'True', '192.0.2.3')])).toEqual(elsewhere);
  expect(await readyOf([node('near', 'True', '127.0.0.1')])).toMatchObject({ isHere: true });
});
