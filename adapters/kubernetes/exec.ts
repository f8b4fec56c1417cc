import { once } from 'node:events';
import type { RawData, WebSocket } from 'ws';
import { UserError } from '#core/errors.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { Session } from '#core/engine.ts';
import type { Start, TerminalSize } from '#core/tunnel/frame.ts';
import type { ApiStatus } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { PODS } from './pod-logs.ts';
import type { PodContainer } from './pod-logs.ts';

/** First byte of each message. Version 5 of the protocol can end the input, 4 cannot. */
const PROTOCOL = 'v5.channel.k8s.io';
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const RESULT = 3;
const RESIZE = 4;
const CLOSE = 255;
const CTRL_C = '\u0003';
const MOST_WAITING_BYTES = 1_024 * 1_024;

/** Runs a command in a container. The signal ends the connection, and with a terminal the command. */
export async function execInPod(
  client: KubeClient,
  { namespace, pod, container }: PodContainer,
  { command, terminal }: Start,
  signal: AbortSignal,
): Promise<Session> {
  const isTerminal = terminal !== undefined;
  const socket = await client.connect(
    `${pathOf(PODS, namespace, pod)}/exec`,
    { container, command, stdin: true, stdout: true, stderr: !isTerminal, tty: isTerminal },
    [PROTOCOL],
    signal,
  );
  const received = receive(socket);
  let isEnded = false;

  /** Resolves once it is on its way, or can go nowhere. */
  async function send(channel: number, data: Uint8Array | string): Promise<void> {
    if (socket.readyState !== socket.OPEN) return;
    const message = Buffer.concat([Buffer.of(channel), Buffer.from(data)]);
    await new Promise<void>((done) => socket.send(message, () => done()));
  }

  function resize({ columns, rows }: TerminalSize): Promise<void> {
    return send(RESIZE, JSON.stringify({ Width: columns, Height: rows }));
  }

  function end(): void {
    if (isEnded) return;
    isEnded = true;
    void send(CLOSE, Buffer.of(STDIN));
  }

  if (isTerminal) await resize(terminal);
  return {
    async write(data) {
      if (!isEnded) await send(STDIN, data);
    },
    end,
    async hangUp() {
      if (isTerminal) await send(STDIN, CTRL_C);
      end();
      if (socket.readyState === socket.CLOSED) return;
      await once(socket, 'close', { signal });
    },
    resize,
    output: received.output(),
    exitCode: () => received.exitCode(),
  };
}

interface Received {
  output(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>;
  exitCode(): Promise<number>;
}

function receive(socket: WebSocket): Received {
  const waiting: { stream: 'stdout' | 'stderr'; data: Uint8Array }[] = [];
  let result: ApiStatus | undefined;
  let waitingBytes = 0;
  let isOver = false;
  let wake: (() => void) | undefined;

  socket.on('message', (message: RawData) => {
    const bytes = asBuffer(message);
    const data = bytes.subarray(1);
    const channel = bytes[0];
    if (channel === RESULT) result = JSON.parse(data.toString('utf8')) as ApiStatus;
    else if ((channel === STDOUT || channel === STDERR) && data.length > 0) {
      waiting.push({ stream: channel === STDOUT ? 'stdout' : 'stderr', data });
      waitingBytes += data.length;
      if (waitingBytes > MOST_WAITING_BYTES) socket.pause();
    }
    wake?.();
  });
  socket.on('error', () => socket.terminate());
  socket.resume();
  socket.on('close', () => {
    isOver = true;
    wake?.();
  });

  return {
    async *output() {
      for (;;) {
        const next = waiting.shift();
        if (next !== undefined) {
          waitingBytes -= next.data.length;
          if (waitingBytes === 0) socket.resume();
          yield next;
        } else if (isOver || result !== undefined) return;
        else
          await new Promise<void>((done) => {
            wake = done;
          });
      }
    },
    async exitCode() {
      if (result === undefined && !isOver) await once(socket, 'close');
      socket.close();
      return exitCodeOf(result);
    },
  };
}

function asBuffer(message: RawData): Buffer {
  if (Array.isArray(message)) return Buffer.concat(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message);
}

function exitCodeOf(result: (ApiStatus & { status?: string }) | undefined): number {
  if (result === undefined)
    throw new UserError('unavailable', 'the connection broke off before the command ended', {
      transient: true,
    });
  if (result.status === 'Success') return 0;
  const code = result.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  throw new UserError(
    'unavailable',
    `the command did not run: ${result.message ?? 'no reason is told'}`,
  );
}
