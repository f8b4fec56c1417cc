import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '#core/secret.ts';
import { createServerApi } from './client.ts';

const never = new AbortController().signal;
const open: Server[] = [];

function token(): Promise<Secret> {
  return Promise.resolve(new Secret('token'));
}

afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(answer: RequestListener, port = 0): Promise<{ port: number; url: string }> {
  const server = createServer(answer);
  open.push(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { port: address.port, url: `http://127.0.0.1:${address.port}` };
}

/** An address where nobody listens any more. */
async function deserted(): Promise<{ port: number; url: string }> {
  const address = await listen(() => undefined);
  const server = open.pop();
  server?.close();
  return address;
}

function answerDone(...[, response]: Parameters<RequestListener>): void {
  response.setHeader('content-type', 'application/json').end('{"done":true}');
}

describe('a server that does not answer', () => {
  it('is waited for, and told of once', async () => {
    const { port, url } = await deserted();
    const told: string[] = [];
    const starting: Promise<unknown>[] = [];
    const api = createServerApi({
      url,
      token,
      onOutage(reason) {
        told.push(reason);
        starting.push(listen(answerDone, port));
      },
    });
    await api.markHealthy('shop', 'here', 'c1', never);
    expect(told).toEqual([expect.stringContaining(`${url} does not answer`)]);
    await Promise.all(starting);
  });

  it('is asked again where a proxy answers for it', async () => {
    let asked = 0;
    const { url } = await listen((request, response) => {
      asked += 1;
      if (asked > 2) answerDone(request, response);
      else response.writeHead(503).end('no backend');
    });
    await createServerApi({ url, token }).whenUp(never);
    expect(asked).toBe(3);
  });

  it('is waited for no longer than asked, nor after the call was given up', async () => {
    const { url } = await deserted();
    const impatient = createServerApi({ url, token, patienceMs: 0 });
    await expect(impatient.heads('here', never)).rejects.toMatchObject({ transient: true });
    const stop = new AbortController();
    const given = createServerApi({
      url,
      token,
      onOutage: () => stop.abort(new Error('given up')),
    });
    await expect(given.heads('here', stop.signal)).rejects.toThrow('given up');
  });

  it('is not asked again when it refuses', async () => {
    let asked = 0;
    const { url } = await listen((_request, response) => {
      asked += 1;
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"error":{"code":"not-found","message":"run r is not known"}}');
    });
    const api = createServerApi({ url, token });
    await expect(api.release('r', 'here', never)).rejects.toThrow('run r is not known');
    expect(asked).toBe(1);
  });
});
