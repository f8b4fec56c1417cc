import { link, rm } from 'node:fs/promises';
import { UserError } from '#core/errors.ts';
import { readPidFile, removePidFile, writePidFile } from './pid-file.ts';

/** Holds the file for this process; refuses where a living process has it. Answers how to let go. */
export async function holdLock(file: string, what: string): Promise<() => Promise<void>> {
  const own = `${file}.${process.pid}`;
  await writePidFile(own, process.pid, what);
  try {
    while (!(await takes(own, file))) {
      const holder = await readPidFile(file);
      if (holder !== undefined) {
        throw new UserError('conflict', `${what} runs already, as process ${holder.pid}`, {
          hint: `stop it first, or use another state folder`,
        });
      }
      await removePidFile(file);
    }
  } finally {
    await rm(own, { force: true });
  }
  return () => removePidFile(file);
}

/** A hard link is made or refused at once, whoever else tries. */
async function takes(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
