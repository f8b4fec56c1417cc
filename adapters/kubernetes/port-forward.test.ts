import { afterEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import type { KubeClient } from './client.ts';
import { connectToPod } from './port-forward.ts';
import { clientOfSockets, refusingClient } from './testing/socket-server.ts';

const NEVER = new AbortController().signal;
const PLACE = { namespace: 'shop', pod: 'web-0' };
const V4 = 'v4.channel.k8s.io';

/** As containerd does behind a kubelet and its API server, seen with 1.36: port 80 answers, others refuse. */
function answer(socket: WebSocket, url: URL): void {
  const port = Number(url.searchParams.get('ports'));
  for (const channel of [0, 1]) socket.send(Buffer.of(channel, port % 256, port >> 8));
  if (port !== 80) {
    const why =
      'error forwarding port 81 to pod 8eff, uid : failed to execute portforward in network namespace "/x": failed to connect to localhost:81 inside namespace "8eff", IPv4: dial tcp4 127.0.0.1:81: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ';
    socket.send(Buffer.concat([Buffer.of(1), Buffer.from(why)]));
    socket.close();
    return;
  }
  socket.on('message', (data: Buffer) => {
    const text = data.subarray(1).toString();
    if (text !== 'silence') socket.send(Buffer.concat([Buffer.of(0), Buffer.from(`${text}!`)]));
    if (text === 'bye') socket.close();
  });
}

async function say(
  words: string[],
  { port = 80, silenceMs }: { port?: number; silenceMs?: number } = {},
): Promise<{ output: string; exitCode: number }> {
  const client = await clientOfSockets(V4, answer);
  const session = await connectToPod(client, PLACE, port, NEVER, silenceMs);
  for (const word of words) await session.write(Buffer.from(word));
  session.end();
  let output = '';
  for await (const { stream, data } of session.output)
    output += `${stream} ${Buffer.from(data).toString()};`;
  return { output, exitCode: await session.exitCode() };
}

const CHUNK = Buffer.alloc(1_048_577);
const CHUNKS = 32;

/** Writes as fast as it is read, and ends. */
function pour(socket: WebSocket, left = CHUNKS): void {
  if (left === 0) socket.close();
  else
    socket.send(CHUNK, (error) => {
      if (error === undefined || error === null) pour(socket, left - 1);
    });
}

afterEach(() => void vi.useRealTimers());

describe('connectToPod', () => {
  it('passes on what both sides say, until the pod has ended', async () => {
    expect(await say(['hello', 'bye'])).toEqual({
      output: 'stdout hello!;stdout bye!;',
      exitCode: 0,
    });
  });

  it('ends where the client has, and the pod is silent since', async () => {
    expect(await say(['hello', 'silence'], { silenceMs: 50 })).toEqual({
      output: 'stdout hello!;',
      exitCode: 0,
    });
  });

  it('does not take a slow reader for a silent pod', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const client = await clientOfSockets(V4, (socket) => {
      for (const channel of [0, 1]) socket.send(Buffer.of(channel, 80, 0));
      pour(socket);
    });
    const sockets: WebSocket[] = [];
    async function connect(...of: Parameters<KubeClient['connect']>): Promise<WebSocket> {
      const socket = await client.connect(...of);
      sockets.push(socket);
      return socket;
    }
    const session = await connectToPod({ ...client, connect }, PLACE, 80, NEVER);
    session.end();
    await vi.waitUntil(() => sockets[0]?.isPaused === true, { timeout: 60_000, interval: 1 });
    vi.advanceTimersByTime(100_000);
    let bytes = 0;
    for await (const { data } of session.output) bytes += data.length;
    expect(bytes).toBe(CHUNKS * (CHUNK.length - 1));
  });

  it('tells why the pod does not answer', async () => {
    expect(await say([], { port: 81 })).toEqual({
      output: 'stderr dial tcp4 127.0.0.1:81: connect: connection refused;',
      exitCode: 1,
    });
  });

  it('keeps many connections apart', async () => {
    const client = await clientOfSockets(V4, answer);
    const numbers = Array.from({ length: 100 }, (_, index) => String(index));
    const sessions = await Promise.all(numbers.map(() => connectToPod(client, PLACE, 80, NEVER)));
    const heard = await Promise.all(
      sessions.map(async (session, index) => {
        await session.write(Buffer.from(numbers[index] ?? ''));
        const first = await session.output[Symbol.asyncIterator]().next();
        await session.hangUp();
        return first.done === true ? '' : Buffer.from(first.value.data).toString();
      }),
    );
    expect(heard).toEqual(numbers.map((number) => `${number}!`));
  });

  it('says why the API server does not let it', async () => {
    const client = await refusingClient('ann cannot create pods/portforward');
    await expect(connectToPod(client, PLACE, 80, NEVER)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('ann cannot create pods/portforward') as string,
    });
  });
});
