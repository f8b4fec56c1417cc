import { once } from 'node:events';
import type Docker from 'dockerode';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from 'node:stream/promises';
import { callDocker, openDuplex } from './call.ts';
import { createDemux } from './demux.ts';
import { brokeOff, exitCodeOf, hasBegun } from './exit-code.ts';
import type { OutputStream } from './demux.ts';

/** Ends what runs on a terminal. */
const CTRL_C = '\u0003';
/** Ends the shell there. */
const CTRL_D = '\u0004';
const HANG_UP_MS = 500;

export interface InteractiveExec {
  container: string;
  command: readonly string[];
  terminal?: { columns: number; rows: number; type: string };
}

/** A command in a container with its input and output open. */
export interface RunningExec {
  write(data: Uint8Array): Promise<void>;
  end(): void;
  hangUp(): Promise<void>;
  resize(size: { columns: number; rows: number }): Promise<void>;
  output: AsyncIterable<{ stream: OutputStream; data: Uint8Array }>;
  exitCode(): Promise<number>;
}

/** Starts it. The signal ends the connection; Docker offers no way to end the command itself. */
export async function startInteractive(
  docker: Docker,
  { container, command, terminal }: InteractiveExec,
  signal: AbortSignal,
): Promise<RunningExec> {
  const isTerminal = terminal !== undefined;
  const { Id: id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: `/containers/${container}/exec`,
    body: {
      Cmd: command,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: isTerminal,
      ...(isTerminal ? { Env: [`TERM=${terminal.type}`] } : {}),
    },
    signal,
  });
  const stream = await openDuplex(docker, {
    method: 'POST',
    path: `/exec/${id}/start`,
    body: { Detach: false, Tty: isTerminal },
    signal,
  });

  async function resize({ columns, rows }: { columns: number; rows: number }): Promise<void> {
    await callDocker(docker, {
      method: 'POST',
      path: `/exec/${id}/resize`,
      query: { w: columns, h: rows },
      signal,
    });
  }

  let hasInput = false;
  let ending: Promise<void> | undefined;

  async function endInput(last?: string): Promise<void> {
    // Ended before the command runs, dockerd loses its output where it is reached over TLS.
    if (!hasInput) await hasBegun(docker, id, signal);
    stream.end(last);
  }

  async function* output(): AsyncGenerator<{ stream: OutputStream; data: Uint8Array }> {
    const feed = createDemux();
    for await (const chunk of stream) {
      if (isTerminal) yield { stream: 'stdout', data: chunk as Buffer };
      else yield* feed(chunk as Buffer);
    }
  }

  if (isTerminal) await resize(terminal);
  return {
    async write(data) {
      if (stream.destroyed || ending !== undefined) return;
      hasInput = true;
      if (!stream.write(data)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
    },
    end() {
      ending ??= endInput();
      ending.catch((error: Error) => stream.destroy(error));
    },
    async hangUp() {
      if (stream.destroyed || stream.writableEnded) return;
      if (isTerminal && ending === undefined) {
        stream.write(CTRL_C);
        hasInput = true;
        // A shell that takes its terminal back drops what was typed meanwhile.
        await sleep(HANG_UP_MS, undefined, { signal });
      }
      ending ??= endInput(isTerminal ? CTRL_D : undefined);
      await ending;
      await finished(stream, { readable: false, signal });
    },
    resize,
    output: output(),
    async exitCode() {
      if (stream.errored !== null) throw brokeOff(stream.errored);
      return exitCodeOf(docker, id, signal);
    },
  };
}
