import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '#adapters/debian/run-program.ts';

const TIMEOUT_MS = 30_000;
const FILLER = 'filler';
/** The largest first, so that nothing is left in the end. */
const PIECES = [1_048_576, 4_096, 1];

/** A folder with a disk of its own, kept in memory. */
export interface SmallDisk {
  /** Takes all the room there is left. */
  fill(): Promise<void>;
  free(): Promise<void>;
  unmount(): Promise<void>;
}

export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  const filler = join(folder, FILLER);
  return {
    async fill() {
      const file = await open(filler, 'a');
      try {
        for (const bytes of PIECES) await writeUntilFull(file, Buffer.alloc(bytes));
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler, { force: true }),
    unmount: () => run('umount', ['--lazy', folder]),
  };
}

async function writeUntilFull(
  file: Awaited<ReturnType<typeof open>>,
  piece: Buffer,
): Promise<void> {
  try {
    for (;;) await file.write(piece);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
}

async function run(command: string, args: readonly string[]): Promise<void> {
  await runProgram({ command, args, timeoutMs: TIMEOUT_MS, signal: new AbortController().signal });
}
