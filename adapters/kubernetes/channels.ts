import type { RawData, WebSocket } from 'ws';

const MOST_WAITING_BYTES = 1_024 * 1_024;

/** A WebSocket to a pod: each message begins with a byte that says which channel it is of. */
export interface Channels {
  /** Resolves once it is on its way, or can go nowhere. */
  send(channel: number, data: Uint8Array | string): Promise<void>;
  /** As they come, until the other side has closed. What waits to be read is bounded. To be read once. */
  messages(): AsyncGenerator<{ channel: number; data: Buffer }>;
}

/** Of a socket that is paused until now. */
export function channelsOf(socket: WebSocket): Channels {
  const waiting: { channel: number; data: Buffer }[] = [];
  let waitingBytes = 0;
  let isOver = false;
  let wake: (() => void) | undefined;

  socket.on('message', (message: RawData) => {
    const bytes = asBuffer(message);
    const data = bytes.subarray(1);
    waiting.push({ channel: bytes[0] ?? 0, data });
    waitingBytes += data.length;
    if (waitingBytes > MOST_WAITING_BYTES) socket.pause();
    wake?.();
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    isOver = true;
    wake?.();
  });
  socket.resume();

  return {
    async send(channel, data) {
      if (socket.readyState !== socket.OPEN) return;
      const message = Buffer.concat([Buffer.of(channel), Buffer.from(data)]);
      await new Promise<void>((done) => socket.send(message, () => done()));
    },
    async *messages() {
      for (;;) {
        const next = waiting.shift();
        if (next !== undefined) {
          waitingBytes -= next.data.length;
          if (waitingBytes === 0) socket.resume();
          yield next;
        } else if (isOver) return;
        else
          await new Promise<void>((done) => {
            wake = done;
          });
      }
    },
  };
}

function asBuffer(message: RawData): Buffer {
  if (Array.isArray(message)) return Buffer.concat(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message);
}
