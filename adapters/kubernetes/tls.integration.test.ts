import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeCertificate } from '../../test/tools/certificate.ts';
import { createKubeClient } from './client.ts';

/** Of the certificate; the server is reached at another address. */
const NAMED = '192.0.2.7';
const NEVER = new AbortController().signal;
const server = createServer();
let folder: string;
let ca: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-kubernetes-tls-'));
  const { caFile, cert, key } = await makeCertificate(folder, NAMED);
  ca = caFile;
  server.setSecureContext({ cert, key });
  server.on('request', (_request, response) => response.end('{}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}, 120_000);

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

async function ask(serverName?: string, of: Server = server): Promise<number> {
  const { port } = of.address() as AddressInfo;
  const named = serverName === undefined ? {} : { serverName };
  const access = { server: `https://127.0.0.1:${port}`, ca: { file: ca }, user: {}, ...named };
  const client = createKubeClient(access, process.env);
  try {
    return (await client.call({ method: 'GET', path: '/version' }, NEVER)).status;
  } finally {
    client.close();
  }
}

it.each([NAMED, 'localhost'])('holds the certificate to the name %s of the kubeconfig', (name) =>
  expect(ask(name)).resolves.toBe(200),
);

it('says so where there is no TLS', async () => {
  const plain = createPlain();
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  try {
    await expect(ask(undefined, plain)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('speaks no TLS there') as string,
    });
  } finally {
    plain.close();
  }
});

it.each([undefined, '192.0.2.8', 'elsewhere.test'])(
  'refuses a certificate that is not of %s',
  (name) =>
    expect(ask(name)).rejects.toMatchObject({
      code: 'unauthorized',
      transient: false,
      message: expect.stringMatching(
        /shows a certificate that is not trusted: .* does not match certificate's altnames/,
      ) as string,
      hint: expect.stringContaining('tls-server-name') as string,
    }),
);
