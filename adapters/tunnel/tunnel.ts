import type { WebSocket } from 'ws';
import { decodeFrame, encodeFrame } from '#core/tunnel/frame.ts';
import type { Frame } from '#core/tunnel/frame.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';

/** Of one frame; pieces of input and output are far smaller. */
export const MAX_FRAME_BYTES = 4 * 1_024 * 1_024;
/** So many frames may wait for their reader; then the sender waits. */
const MOST_WAITING = 32;

/** To be called before a message can have come: what comes earlier is lost. */
export function tunnelOver(socket: WebSocket): Tunnel {
  const waiting: Frame[] = [];
  let ended = false;
  let wake: (() => void) | undefined;

  socket.on('message', (message: Buffer) => {
    waiting.push(decodeFrame(message));
    if (waiting.length >= MOST_WAITING) socket.pause();
    wake?.();
  });
  socket.on('close', () => {
    ended = true;
    wake?.();
  });
  socket.on('error', () => {
    // It is closed next, which is what readers and writers see.
  });

  async function* frames(): AsyncGenerator<Frame> {
    for (;;) {
      const frame = waiting.shift();
      if (frame !== undefined) {
        if (waiting.length === 0 && socket.isPaused) socket.resume();
        yield frame;
      } else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    send: (channel, data) =>
      new Promise((resolve, reject) => {
        socket.send(encodeFrame(channel, data), (error) =>
          error === undefined || error === null ? resolve() : reject(error),
        );
      }),
    frames: frames(),
    close: () => socket.close(),
  };
}
