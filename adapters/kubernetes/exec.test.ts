import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Start } from '#core/tunnel/frame.ts';
import { createKubeClient } from './client.ts';
import type { KubeClient } from './client.ts';
import { execInPod } from './exec.ts';

const NEVER = new AbortController().signal;
const PLACE = { namespace: 'shop', pod: 'web-0', container: 'web' };
const servers: Server[] = [];
const clients: KubeClient[] = [];

type Behaviour = (socket: WebSocket, url: URL) => void;

/** Speaks `v5.channel.k8s.io` as a kubelet does behind its API server. */
async function clientOf(behaviour: Behaviour): Promise<KubeClient> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'v5.channel.k8s.io' });
  sockets.on('connection', (socket, request) =>
    behaviour(socket, new URL(request.url ?? '', 'http://api')),
  );
  return listening(server);
}

async function listening(server: Server): Promise<KubeClient> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createKubeClient({ server: `http://127.0.0.1:${port}`, user: {} }, {});
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

function message(channel: number, text: string): Buffer {
  return Buffer.concat([Buffer.of(channel), Buffer.from(text)]);
}

function end(socket: WebSocket, status: unknown): void {
  socket.send(message(3, JSON.stringify(status)));
  socket.close();
}

function exit(code: number): unknown {
  const causes = [{ reason: 'ExitCode', message: String(code) }];
  return { status: 'Failure', reason: 'NonZeroExitCode', details: { causes } };
}

async function run(
  behaviour: Behaviour,
  start: Start = { command: ['cat', '-'] },
): Promise<{ output: string[]; exitCode: number }> {
  const session = await execInPod(await clientOf(behaviour), PLACE, start, NEVER);
  await session.write(Buffer.from('in'));
  session.end();
  const output: string[] = [];
  for await (const { stream, data } of session.output)
    output.push(`${stream} ${Buffer.from(data).toString()}`);
  return { output, exitCode: await session.exitCode() };
}

describe('execInPod', () => {
  it('runs the command with its input, and tells its output and end', async () => {
    let asked: URL | undefined;
    const { output, exitCode } = await run((socket, url) => {
      asked = url;
      socket.on('message', (data: Buffer) => {
        const [channel, which] = data;
        if (channel === 0) socket.send(message(1, data.subarray(1).toString()));
        if (channel !== 255 || which !== 0) return;
        socket.send(message(2, 'err'));
        end(socket, { status: 'Success' });
      });
    });
    expect(output).toEqual(['stdout in', 'stderr err']);
    expect(exitCode).toBe(0);
    expect(asked?.pathname).toBe('/api/v1/namespaces/shop/pods/web-0/exec');
    expect(asked?.searchParams.getAll('command')).toEqual(['cat', '-']);
    expect(asked?.searchParams.get('tty')).toBe('false');
  });

  it('tells with which code it ended', async () => {
    const { exitCode } = await run((socket) => end(socket, exit(3)));
    expect(exitCode).toBe(3);
  });

  it('gives a terminal its size', async () => {
    const sizes: string[] = [];
    const terminal = { columns: 80, rows: 24, type: 'xterm' };
    await run(
      (socket) =>
        socket.on('message', (data: Buffer) => {
          if (data[0] === 4) sizes.push(data.subarray(1).toString());
          if (data[0] === 255) end(socket, { status: 'Success' });
        }),
      { command: ['sh'], terminal },
    );
    expect(sizes).toEqual(['{"Width":80,"Height":24}']);
  });

  it.each([
    [
      'it did not run',
      (socket: WebSocket) => end(socket, { status: 'Failure', message: 'no such program' }),
      /did not run: no such program/,
    ],
    [
      'the connection broke off',
      (socket: WebSocket) => socket.terminate(),
      /broke off before the command ended/,
    ],
  ])('has no exit code where %s', async (_, behaviour, why) => {
    await expect(run(behaviour)).rejects.toThrow(why);
  });

  it('says why the API server does not let it', async () => {
    const server = createServer();
    server.on('upgrade', (_request, socket) => {
      const body = JSON.stringify({ message: 'ann cannot create pods/exec', reason: 'Forbidden' });
      socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const client = await listening(server);
    await expect(execInPod(client, PLACE, { command: ['sh'] }, NEVER)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('ann cannot create pods/exec') as string,
    });
  });
});
