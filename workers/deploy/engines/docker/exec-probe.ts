import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { createDemux } from '#adapters/docker/demux.ts';
import { outputEnd, startExec } from '#adapters/docker/exec.ts';
import { exitCodeOf } from '#adapters/docker/exit-code.ts';
import type { ProbeResult } from './fold-probe.ts';

const LONGEST_OUTPUT = 1_000;

/** Good where the command ends with 0. Docker cannot end one that does not end in time: it is left to itself. */
export async function probeByExec(
  docker: Docker,
  container: string,
  command: readonly string[],
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { id, stream } = await startExec(docker, container, command, 'none', signal);
  const feed = createDemux();
  let output = '';
  stream.on('data', (chunk: Buffer) => {
    for (const { data } of feed(chunk))
      if (output.length < LONGEST_OUTPUT) output += data.toString();
  });
  const timer = new AbortController();
  const ended = await Promise.race([
    outputEnd(stream).then((broke) => {
      if (broke !== undefined) throw broke;
      return true;
    }),
    sleep(timeoutSeconds * 1_000, false, { signal: timer.signal }).catch(() => false),
  ]);
  timer.abort();
  signal.throwIfAborted();
  if (!ended) {
    stream.destroy();
    return { ok: false, answer: `no end within ${timeoutSeconds} s` };
  }
  const exitCode = await exitCodeOf(docker, id, signal);
  const text = output.trim().replaceAll(/\s+/g, ' ');
  if (exitCode === 0) return { ok: true, answer: text === '' ? 'exit code 0' : text };
  return { ok: false, answer: `exit code ${exitCode}${text === '' ? '' : `: ${text}`}` };
}
