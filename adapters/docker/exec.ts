import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { callDocker, openDuplex } from '#adapters/docker/call.ts';
import { createDemux } from '#adapters/docker/demux.ts';
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
  request: ExecRequest,
  signal: AbortSignal,
): Promise<ExecResult> {
  const deadline = AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const ends = AbortSignal.any([signal, deadline]);
  const { id, stream } = await startExec(docker, request.container, request.command, ends);
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const feed = createDemux();
  stream.on('data', (chunk: Buffer) => {
    for (const { stream: name, data } of feed(chunk)) output[name].push(data);
  });
  stream.end(request.input);
  await once(stream, 'close');
  signal.throwIfAborted();
  if (deadline.aborted)
    throw new UserError('timeout', `a command in container ${request.container} did not end`);
  const { ExitCode } = await callDocker<{ ExitCode: number }>(docker, {
    method: 'GET',
    path: `/exec/${id}/json`,
    signal,
  });
  return {
    exitCode: ExitCode,
    stdout: Buffer.concat(output.stdout).toString(),
    stderr: Buffer.concat(output.stderr).toString(),
  };
}

/** A command that is to be started once. */
export async function createExec(
  docker: Docker,
  container: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const { Id } = await callDocker<{ Id: string }>(docker, {
    method: 'POST',
    path: `/containers/${container}/exec`,
    body: { Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true },
    signal,
  });
  return Id;
}

/** Starts a command with its input and (multiplexed) output connected; lasts until it ends or the signal. */
export async function startExec(
  docker: Docker,
  container: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<{ id: string; stream: Duplex }> {
  const id = await createExec(docker, container, command, signal);
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
