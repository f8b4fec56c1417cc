import { setTimeout as sleep } from 'node:timers/promises';
import { startOf } from './identity.ts';
import type { PidRecord } from './pid-file.ts';

const CHECK_MS = 25;

/** Asks a process to end, and makes it after `graceMs`. Does nothing where it is gone. */
export async function stopProcess(
  { pid, started }: Pick<PidRecord, 'pid' | 'started'>,
  graceMs: number,
): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const deadline = Date.now() + graceMs;
    if (!send(pid, signal)) return;
    while ((await startOf(pid)) === started) {
      if (Date.now() > deadline) break;
      await sleep(CHECK_MS);
    }
    if ((await startOf(pid)) !== started) return;
  }
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
