import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Host and port, or the path of a socket. */
export type Address = { host: string; port: number } | { path: string };

/** What becomes of a piece of a request: it goes on, it goes on and the gate shuts over its answer, or it is cut off. */
type Verdict = 'pass' | 'shut over answer' | 'cut';
/** What an HTTP request is answered in place of the server, which never sees it. */
interface Refusal {
  status: number;
  message: string;
}
type Inspect = (request: string) => Verdict | Refusal | Promise<Verdict>;

interface Held {
  /** Resolves once something is held. */
  readonly reached: Promise<void>;
  /** Lets it go on, and all that comes later. */
  readonly release: () => void;
  /** Cuts it off: its client is no more. What comes later goes on. */
  readonly drop: () => void;
}

/** A connection between a client and a server that a test can trouble. */
export interface Gate {
  readonly address: { host: string; port: number; path: string };
  /** Looks at each piece that clients send; what begins a request begins with its first line. */
  inspect(look: Inspect | undefined): void;
  /** Stops requests that match; with `answer`, they are carried out and what is said of them waits. */
  hold(pattern: RegExp, what?: 'request' | 'answer'): Held;
  /** Answers every HTTP request itself; with nothing, no more. */
  answer(status: number | undefined): void;
  /** Every piece takes that long on its way. */
  delay(ms: number): void;
  /** Cuts each connection once that much was sent to the client. */
  cutAfter(bytes: number): void;
  /** Cuts all connections; those that come are cut too until `open`. */
  shut(): void;
  open(): void;
  close(): Promise<void>;
}

interface Hold {
  pattern: RegExp;
  what: 'request' | 'answer';
  readonly pass: () => Promise<Verdict>;
}

interface Answers {
  mayGoOn: Promise<Verdict>;
  isLast: boolean;
}

async function roomIn(socket: Socket): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]);
  waiting.abort();
}

export async function startGate(
  target: Address,
  listen: { port: number } | { path: string } = { port: 0 },
): Promise<Gate> {
  const sockets = new Set<Socket>();
  const holds = new Set<Hold>();
  let look: Inspect | undefined;
  let status: number | undefined;
  let delayMs = 0;
  let mostBytes = Infinity;
  let isShut = false;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (isShut) {
      client.destroy();
      return;
    }
    const upstream = connect({ ...target, allowHalfOpen: true });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.once('error', () => other.destroy());
      one.once('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    const answers: Answers = { mayGoOn: Promise.resolve('pass'), isLast: false };
    void carry(client, upstream, (piece) => checkRequest(piece, client, answers));
    let sent = 0;
    void carry(upstream, client, async (piece) => {
      if ((await answers.mayGoOn) === 'cut') return 'cut';
      if (answers.isLast) shut();
      sent += piece.length;
      return sent > mostBytes ? 'cut' : 'pass';
    });
  });

  async function checkRequest(piece: Buffer, client: Socket, answers: Answers): Promise<Verdict> {
    const text = piece.toString('latin1', 0, 8_192);
    if (status !== undefined) return refuse(client, status, '{}');
    for (const { pattern, what, pass } of holds) {
      if (!pattern.test(text)) continue;
      if (what === 'answer') answers.mayGoOn = pass();
      else if ((await pass()) === 'cut') return 'cut';
    }
    const verdict = (await look?.(text)) ?? 'pass';
    if (typeof verdict === 'object')
      return refuse(client, verdict.status, JSON.stringify({ message: verdict.message }));
    answers.isLast ||= verdict === 'shut over answer';
    return verdict;
  }

  function refuse(client: Socket, code: number, body: string): Verdict {
    client.end(
      `HTTP/1.1 ${code} No\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    return 'cut';
  }

  async function carry(
    from: Socket,
    to: Socket,
    check: (piece: Buffer) => Promise<Verdict>,
  ): Promise<void> {
    try {
      for await (const piece of from as AsyncIterable<Buffer>) {
        if (delayMs > 0) await sleep(delayMs);
        if ((await check(piece)) === 'cut') {
          if (!from.writableEnded) from.destroy();
          to.destroy();
          return;
        }
        if (!to.write(piece)) await roomIn(to);
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  function cutAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  function shut(): void {
    isShut = true;
    cutAll();
  }

  if ('path' in listen) server.listen(listen.path);
  else server.listen(listen.port, '127.0.0.1');
  await once(server, 'listening');
  const port = 'path' in listen ? 0 : (server.address() as AddressInfo).port;
  const path = 'path' in listen ? listen.path : '';
  return {
    address: { host: '127.0.0.1', port, path },
    inspect: (wanted) => {
      look = wanted;
    },
    hold(pattern, what = 'request') {
      const reached = Promise.withResolvers<void>();
      const released = Promise.withResolvers<Verdict>();
      const hold: Hold = {
        pattern,
        what,
        pass() {
          reached.resolve();
          return released.promise;
        },
      };
      holds.add(hold);
      function end(verdict: Verdict): void {
        holds.delete(hold);
        released.resolve(verdict);
      }
      return {
        reached: reached.promise,
        release: () => end('pass'),
        drop: () => end('cut'),
      };
    },
    answer: (wanted) => {
      status = wanted;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    cutAfter: (bytes) => {
      mostBytes = bytes;
    },
    shut,
    open: () => {
      isShut = false;
    },
    async close() {
      server.close();
      cutAll();
      await once(server, 'close');
      if (path !== '') await rm(path, { force: true });
    },
  };
}
