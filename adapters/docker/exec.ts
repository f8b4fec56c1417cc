import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { callDocker, openDuplex } from '#adapters/docker/call.ts';
import { createDemux } from '#adapters/docker/demux.ts';
import { brokeOff, exitCodeOf } from '#adapters/docker/exit-code.ts';
import { UserError } from '#core/errors.ts';

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ExecRequest {
  container: string;
  command: readonly string[];
  /** Written to its standard input, which is then closed. */
  input?: Buffer;
  timeoutMs?: number;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in a running container to its end. A command that fails is a result, not an error. */
export async function runInContainer(
  docker: Docker,
  { container, command, input, timeoutMs = DEFAULT_TIMEOUT_MS }: ExecRequest,
  signal: AbortSignal,
): Promise<ExecResult> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const ends = AbortSignal.any([signal, deadline]);
  const stdin = input === undefined ? 'none' : 'open';
  const { id, stream } = await startExec(docker, container, command, stdin, ends);
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const feed = createDemux();
  stream.on('data', (chunk: Buffer) => {
    for (const { stream: name, data } of feed(chunk)) output[name].push(data);
  });
  if (input !== undefined) stream.end(input);
  const broke = await outputEnd(stream);
  signal.throwIfAborted();
  if (deadline.aborted)
    throw new UserError('timeout', `a command in container ${container} did not end`);
  if (broke !== undefined) throw brokeOff(broke);
  return {
    exitCode: await exitCodeOf(docker, id, signal),
    stdout: Buffer.concat(output.stdout).toString(),
    stderr: Buffer.concat(output.stderr).toString(),
  };
}

/**
 * Whether a command reads from us. Where there is nothing to read, none is attached and its connection is not ended from
 * here: what is ended before the command runs makes dockerd lose its output, where it is reached over TLS.
 */
export type Stdin = 'none' | 'open';

/** A command that is to be started once. */
export async function createExec(
  docker: Docker,
  container: string,
  command: readonly string[],
  stdin: Stdin,
  signal: AbortSignal,
): Promise<string> {
  const { Id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: `/containers/${container}/exec`,
    body: { Cmd: command, AttachStdin: stdin === 'open', AttachStdout: true, AttachStderr: true },
    signal,
  });
  return Id;
}

/** Starts a command with its (multiplexed) output, and its input, connected; lasts until it ends or the signal. */
export async function startExec(
  docker: Docker,
  container: string,
  command: readonly string[],
  stdin: Stdin,
  signal: AbortSignal,
): Promise<{ id: string; stream: Duplex }> {
  const id = await createExec(docker, container, command, stdin, signal);
  return { id, stream: await attachExec(docker, id, signal) };
}

export function attachExec(docker: Docker, id: string, signal: AbortSignal): Promise<Duplex> {
  return openDuplex(docker, {
    method: 'POST',
    path: `/exec/${id}/start`,
    body: { Detach: false, Tty: false },
    signal,
  });
}

/** Waits until there is no more output; answers what broke it off, where that was not its end. */
export async function outputEnd(stream: Duplex): Promise<Error | undefined> {
  if (!stream.closed) {
    try {
      await once(stream, 'close');
    } catch (error) {
      return error as Error;
    }
  }
  return stream.errored ?? undefined;
}
