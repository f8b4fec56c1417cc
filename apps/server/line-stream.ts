import type { FastifyReply } from 'fastify';

/** A reader that lets so much pile up is cut off. */
const MOST_BYTES_WAITING = 16 * 1_024 * 1_024;

/** An answer that is written line by line, for as long as the client listens. */
export interface LineStream {
  write(text: string): void;
  /** Waits until the client has taken so much that there is room for more, or is gone. */
  room(): Promise<void>;
  end(): void;
  /** Cuts the answer off, so that the client sees that it is not whole. */
  fail(): void;
}

export function openLineStream(reply: FastifyReply, contentType: string): LineStream {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();
  return {
    write(text) {
      if (raw.writableLength > MOST_BYTES_WAITING) raw.destroy();
      else if (!raw.destroyed) raw.write(text);
    },
    room: () =>
      new Promise((resolve) => {
        function done(): void {
          raw.off('drain', done).off('close', done);
          resolve();
        }
        if (!raw.writableNeedDrain || raw.destroyed) done();
        else raw.once('drain', done).once('close', done);
      }),
    end: () => void raw.end(),
    fail: () => void raw.destroy(),
  };
}

/** Aborted once the client is gone or the answer is complete. */
export function closedSignal(reply: FastifyReply): AbortSignal {
  const closed = new AbortController();
  reply.raw.once('close', () => closed.abort(new Error('the client is gone')));
  return closed.signal;
}
