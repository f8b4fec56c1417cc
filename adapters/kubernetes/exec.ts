import { once } from 'node:events';
import { UserError } from '#core/errors.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { Session } from '#core/engine.ts';
import type { Start, TerminalSize } from '#core/tunnel/frame.ts';
import type { ApiStatus } from './api-error.ts';
import { channelsOf } from './channels.ts';
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
  const channels = channelsOf(socket);
  let result: ApiStatus | undefined;
  let isEnded = false;

  function resize({ columns, rows }: TerminalSize): Promise<void> {
    return channels.send(RESIZE, JSON.stringify({ Width: columns, Height: rows }));
  }

  function end(): void {
    if (isEnded) return;
    isEnded = true;
    void channels.send(CLOSE, Buffer.of(STDIN));
  }

  async function* output(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }> {
    for await (const { channel, data } of channels.messages()) {
      if (channel === STDOUT && data.length > 0) yield { stream: 'stdout', data };
      else if (channel === STDERR && data.length > 0) yield { stream: 'stderr', data };
      else if (channel === RESULT) {
        result = JSON.parse(data.toString('utf8')) as ApiStatus;
        return;
      }
    }
  }

  if (isTerminal) await resize(terminal);
  return {
    async write(data) {
      if (!isEnded) await channels.send(STDIN, data);
    },
    end,
    async hangUp() {
      if (isTerminal) await channels.send(STDIN, CTRL_C);
      end();
      if (socket.readyState === socket.CLOSED) return;
      await once(socket, 'close', { signal });
    },
    resize,
    output: output(),
    async exitCode() {
      socket.close();
      return exitCodeOf(result);
    },
  };
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
