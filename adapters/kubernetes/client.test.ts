import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createKubeClient } from './client.ts';
import type { KubeClient } from './client.ts';
import type { ApiAccess } from './kubeconfig.ts';
import { watchKind } from './watch.ts';
import { PODS } from './pod-logs.ts';

const NEVER = new AbortController().signal;
const VERSION = { method: 'GET' as const, path: '/version' };
const servers: Server[] = [];
const clients: KubeClient[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function clientOf(
  listener: RequestListener,
  user: ApiAccess['user'] = {},
): Promise<KubeClient> {
  const client = createKubeClient({ server: await serve(listener), user }, process.env);
  clients.push(client);
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('call', () => {
  it('tries again what was refused for load, as often as it takes', async () => {
    let times = 0;
    const client = await clientOf((_, response) => {
      times += 1;
      response.writeHead(times < 3 ? 429 : 200, { 'retry-after': '0' });
      response.end('{"ok":true}');
    });
    expect((await client.call(VERSION, NEVER)).body).toEqual({ ok: true });
    expect(times).toBe(3);
  });

  it('tries again what broke off', async () => {
    let times = 0;
    const client = await clientOf((request, response) => {
      times += 1;
      if (times === 1) request.socket.destroy();
      else response.end('{}');
    });
    expect((await client.call(VERSION, NEVER)).status).toBe(200);
  });

  it('tells what the server said, and does not ask again', async () => {
    let times = 0;
    const client = await clientOf((_, response) => {
      times += 1;
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end('{"message":"ann cannot list pods","reason":"Forbidden"}');
    });
    await expect(client.call(VERSION, NEVER)).rejects.toMatchObject({
      code: 'unauthorized',
      status: 403,
      message: 'GET /version: ann cannot list pods',
      transient: false,
    });
    expect(times).toBe(1);
  });

  it('takes an object that does not fit its schema for wrong, whatever the status says', async () => {
    const client = await clientOf((_, response) => {
      response.writeHead(500);
      response.end(
        JSON.stringify({
          message:
            'failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema',
        }),
      );
    });
    await expect(client.call(VERSION, NEVER)).rejects.toMatchObject({
      code: 'invalid-input',
      status: 422,
      transient: false,
    });
  });

  it('ends with the signal', async () => {
    const stop = new AbortController();
    const client = await clientOf(() => stop.abort(new Error('enough')));
    await expect(client.call(VERSION, stop.signal)).rejects.toThrow('enough');
  });

  it('is whom the kubeconfig says', async () => {
    let seen: IncomingMessage['headers'] = {};
    const client = await clientOf(
      (request, response) => {
        seen = request.headers;
        response.end('{}');
      },
      { token: 't', impersonate: { user: 'ann', groups: ['a', 'b'] } },
    );
    await client.call(VERSION, NEVER);
    expect(seen).toMatchObject({
      authorization: 'Bearer t',
      'impersonate-user': 'ann',
      'impersonate-group': 'a, b',
    });
  });

  it('is never itself where the account to act as has no name', async () => {
    const client = await clientOf((_, response) => response.end('{}'), {
      token: 't',
      impersonate: { user: '', groups: [] },
    });
    await expect(client.call(VERSION, NEVER)).rejects.toThrow(/has no name/);
  });
});

describe('a credential plugin', () => {
  async function pluginOf(
    script: string,
  ): Promise<{ folder: string; remove: () => Promise<void> }> {
    const folder = await mkdtemp(join(tmpdir(), 'windlass-plugin-'));
    await writeFile(join(folder, 'login'), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, 'login'), 0o755);
    return { folder, remove: () => rm(folder, { recursive: true }) };
  }

  function userOf(folder: string): ApiAccess['user'] {
    return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './login', folder } };
  }

  it('is asked again when what it gave is refused', async () => {
    const { folder, remove } = await pluginOf(
      `cd "$(dirname "$0")"; echo x >> times; printf '{"status":{"token":"t%s"}}' "$(wc -l < times)"`,
    );
    try {
      const client = await clientOf((request, response) => {
        response.writeHead(request.headers.authorization === 'Bearer t2' ? 200 : 401);
        response.end('{}');
      }, userOf(folder));
      expect((await client.call(VERSION, NEVER)).status).toBe(200);
      expect((await client.call(VERSION, NEVER)).status).toBe(200);
    } finally {
      await remove();
    }
  });

  it('is told of without what it said', async () => {
    const { folder, remove } = await pluginOf('echo hunter2; echo hunter2 >&2; exit 3');
    try {
      const client = await clientOf(() => undefined, userOf(folder));
      await expect(client.call(VERSION, NEVER)).rejects.toMatchObject({
        code: 'unauthorized',
        message: "the kubeconfig's plugin ./login failed (3)",
      });
    } finally {
      await remove();
    }
  });

  it('must be there', async () => {
    const client = await clientOf(() => undefined, userOf('/nowhere'));
    await expect(client.call(VERSION, NEVER)).rejects.toMatchObject({ code: 'missing-tool' });
  });
});

describe('watchKind', () => {
  function pod(name: string, version: string): unknown {
    return { metadata: { name, uid: name, resourceVersion: version } };
  }

  it('goes on where it was after a disconnect, and lists again where that is forgotten', async () => {
    const asked: string[] = [];
    const told: string[] = [];
    const stop = new AbortController();
    const client = await clientOf((request, response) => {
      const { searchParams: query } = new URL(request.url ?? '', 'http://api');
      if (query.get('watch') === null) {
        asked.push('list');
        response.end(
          JSON.stringify({ metadata: { resourceVersion: '5' }, items: [pod('a', '4')] }),
        );
        return;
      }
      const from = query.get('resourceVersion');
      asked.push(`watch ${from}`);
      if (asked.length === 2)
        response.end(`${JSON.stringify({ type: 'ADDED', object: pod('b', '6') })}\n`);
      else if (asked.length === 3)
        response.end(
          `${JSON.stringify({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })}\n`,
        );
      else response.write(`${JSON.stringify({ type: 'DELETED', object: pod('a', '7') })}\n`);
    });
    await watchKind(
      client,
      PODS,
      {},
      {
        begin: () => told.push('begin'),
        page: (items) => told.push(`page ${items.map(({ metadata }) => metadata.name).join()}`),
        onListed: () => told.push('listed'),
        onPut: ({ metadata }) => told.push(`put ${metadata.name}`),
        onGone({ metadata }) {
          told.push(`gone ${metadata.name}`);
          stop.abort();
        },
        onTrouble: (error) => told.push(`trouble ${String(error)}`),
      },
      stop.signal,
    );
    expect(asked).toEqual(['list', 'watch 5', 'watch 6', 'list', 'watch 5']);
    const list = ['begin', 'page a', 'listed'];
    expect(told).toEqual([...list, 'put b', ...list, 'gone a']);
  });
});
