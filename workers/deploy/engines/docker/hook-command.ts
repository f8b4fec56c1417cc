import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { createDemux } from '#adapters/docker/demux.ts';
import { attachExec, createExec, outputEnd } from '#adapters/docker/exec.ts';
import { inspectExec } from '#adapters/docker/exit-code.ts';
import type { InspectedExec } from '#adapters/docker/exit-code.ts';
import type { ProbeResult } from './fold-probe.ts';

const LONGEST_OUTPUT = 1_000;
const LOOK_MS = 500;

/**
 * Runs the command of a hook to its end. One that an earlier worker began goes on by itself and is waited for; what it
 * wrote until then is not known any more.
 */
export async function runHookCommand(
  docker: Docker,
  container: string,
  command: readonly string[],
  begun: string | undefined,
  onCreated: (id: string) => Promise<void>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const known = begun === undefined ? undefined : await inspectExec(docker, begun, signal);
  if (begun !== undefined && known !== undefined && hasStarted(known))
    return { ...resultOf(await ended(docker, begun, known, signal), '') };
  const id = await createExec(docker, container, command, 'none', signal);
  await onCreated(id);
  const stream = await attachExec(docker, id, signal);
  const feed = createDemux();
  let output = '';
  stream.on('data', (chunk: Buffer) => {
    for (const { data } of feed(chunk))
      if (output.length < LONGEST_OUTPUT) output += data.toString();
  });
  // Where the connection breaks it goes on by itself, and is waited for too.
  await outputEnd(stream);
  signal.throwIfAborted();
  const state = await inspectExec(docker, id, signal);
  return resultOf(state === undefined ? 137 : await ended(docker, id, state, signal), output);
}

function hasStarted({ Running, ExitCode }: InspectedExec): boolean {
  return Running || ExitCode !== null;
}

async function ended(
  docker: Docker,
  id: string,
  first: InspectedExec,
  signal: AbortSignal,
): Promise<number> {
  let state: InspectedExec | undefined = first;
  while (state?.Running === true) {
    await sleep(LOOK_MS, undefined, { signal });
    state = await inspectExec(docker, id, signal);
  }
  // It went with its container.
  return state?.ExitCode ?? 137;
}

function resultOf(exitCode: number, output: string): ProbeResult {
  const text = output.trim().replaceAll(/\s+/g, ' ');
  const said = text === '' ? '' : `: ${text}`;
  return { ok: exitCode === 0, answer: `exit code ${exitCode}${said}` };
}
