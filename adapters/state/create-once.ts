import { randomUUID } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';

/** Makes the file, whole and on disk, for its owner's eyes only; leaves one alone that is there. */
export async function createOnce(file: string, text: string): Promise<void> {
  const part = `${file}.${randomUUID()}.part`;
  const handle = await open(part, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await link(part, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await handle.close();
    await rm(part, { force: true });
  }
}
