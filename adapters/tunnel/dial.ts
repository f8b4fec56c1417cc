import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { Tunnel } from '#core/tunnel/tunnel.ts';
import { MAX_FRAME_BYTES, tunnelOver } from './tunnel.ts';

const HANDSHAKE_MS = 60_000;

/** The server answered that it does not want to. */
export class TunnelRefused extends Error {
  override readonly name = 'TunnelRefused';
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the server answers ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** Opens a tunnel at an http or https address; the signal ends it at any time. */
export async function dialTunnel(url: URL, token: string, signal: AbortSignal): Promise<Tunnel> {
  signal.throwIfAborted();
  const address = new URL(url);
  address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
  });
  function abort(): void {
    socket.terminate();
  }
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  // Before it is open, so that no message is missed.
  const tunnel = tunnelOver(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    socket.once('unexpected-response', (_request, response) => {
      text(response)
        .then((body) => reject(new TunnelRefused(response.statusCode ?? 0, body)), reject)
        .finally(() => socket.terminate());
    });
  });
  return tunnel;
}
