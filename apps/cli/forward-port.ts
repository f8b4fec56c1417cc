import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { messageOf, UserError } from '#core/errors.ts';
import { CHANNEL, decodeJson, End } from '#core/tunnel/frame.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';

interface Forward {
  address: string;
  /** 0 is any free one. */
  localPort: number;
  /** A tunnel for one connection. */
  open: (signal: AbortSignal) => Promise<Tunnel>;
  /** A connection that could not be passed on. */
  onProblem: (message: string) => void;
}

/** Listens on a port here and passes each connection on; answers where it listens. */
export async function forwardPort(
  { address, localPort, open, onProblem }: Forward,
  signal: AbortSignal,
): Promise<AddressInfo> {
  // A client that has said all it has to say may still want the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    passOn(socket, open, signal).catch((error: unknown) => {
      if (!signal.aborted) onProblem(messageOf(error));
      socket.destroy();
    });
  });
  server.listen(localPort, address);
  await listening(server, `${address}:${localPort}`);
  signal.addEventListener('abort', () => server.close(), { once: true });
  return server.address() as AddressInfo;
}

async function passOn(socket: Socket, open: Forward['open'], signal: AbortSignal): Promise<void> {
  const gone = new AbortController();
  socket.on('error', () => gone.abort());
  socket.once('close', () => gone.abort());
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  const tunnel = await open(AbortSignal.any([signal, gone.signal]));
  const sending = send(socket, tunnel);
  // Whoever is gone, the other direction tells.
  sending.catch(() => {});
  try {
    for await (const { channel, data } of tunnel.frames) {
      if (channel === CHANNEL.stdout) await write(socket, data);
      else if (channel === CHANNEL.stderr) throw new UserError('unavailable', textOf(data));
      else if (channel === CHANNEL.end) {
        const { error } = decodeJson(End, data);
        if (error !== undefined) throw new UserError('unavailable', error);
        socket.end();
        return;
      }
    }
    throw new UserError('unavailable', 'the connection to the cluster ended');
  } finally {
    tunnel.close();
  }
}

async function send(socket: Socket, tunnel: Tunnel): Promise<void> {
  for await (const data of socket) await tunnel.send(CHANNEL.input, data as Buffer);
  await tunnel.send(CHANNEL.inputEnd);
}

async function write(socket: Socket, data: Uint8Array): Promise<void> {
  if (socket.destroyed) return;
  if (!socket.write(data)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data).trim().replace(/^nc: /, '');
}

async function listening(server: Server, place: string): Promise<void> {
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new UserError('conflict', `cannot listen on ${place}: ${messageOf(error)}`, {
      hint: 'choose another port, or :port for any free one',
      cause: error,
    });
  }
}
