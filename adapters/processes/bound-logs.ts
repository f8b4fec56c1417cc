import { copyFile, stat, truncate } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

const LOG_BYTES = 20 * 1_024 * 1_024;
const LOOK_MS = 60_000;

/**
 * Keeps each log that grows beyond `LOG_BYTES` as `<file>.1`, in place of the one before, and empties it, until aborted.
 * Copied and cut, not renamed, as logrotate's `copytruncate` is: those who write go on with the file they have open. What
 * is written in between is lost.
 */
export async function boundLogs(
  files: readonly string[],
  log: Pick<Logger, 'warn'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const file of files) {
      await boundLog(file, LOG_BYTES).catch((error: unknown) =>
        log.warn({ err: error, file }, 'a log that has grown is not cut'),
      );
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

export async function boundLog(file: string, mostBytes: number): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || found.size <= mostBytes) return;
  await copyFile(file, `${file}.1`);
  await truncate(file);
}
