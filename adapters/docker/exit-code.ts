import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { messageOf, UserError } from '#core/errors.ts';

/** Docker may learn of a command's end a moment after its output has ended. */
const PATIENCE_MS = 3_000;
const BEGIN_MS = 10_000;
const LOOK_MS = 50;

export interface InspectedExec {
  Running: boolean;
  ExitCode: number | null;
  /** 0 before it was started. */
  Pid: number;
}

/** With what a command ended whose output has ended. Fails where it has not ended: then its connection broke. */
export async function exitCodeOf(docker: Docker, id: string, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await inspectExec(docker, id, signal);
    if (found?.Running === false && found.ExitCode !== null) return found.ExitCode;
    if (found === undefined || performance.now() > deadline) throw brokeOff(undefined);
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** Waits until a command runs that was started, or has ended. */
export async function hasBegun(docker: Docker, id: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + BEGIN_MS;
  while (performance.now() < deadline) {
    const found = await inspectExec(docker, id, signal);
    if (found === undefined || found.Pid > 0 || found.ExitCode !== null) return;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

/** Absent where Docker knows of it no longer: it, or the container, was started again. */
export async function inspectExec(
  docker: Docker,
  id: string,
  signal: AbortSignal,
): Promise<InspectedExec | undefined> {
  try {
    return await callDocker<InspectedExec>(docker, {
      method: 'GET',
      path: `/exec/${id}/json`,
      signal,
    });
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** What is said of a command that nobody knows the end of. */
export function brokeOff(cause: unknown): UserError {
  const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
  return new UserError('unavailable', `the connection to a command broke before its end${why}`, {
    transient: true,
    cause,
  });
}
