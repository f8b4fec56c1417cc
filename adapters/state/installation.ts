import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';

/** The id of a state folder, made with it: everything in Docker that belongs to it carries this id. */
export async function readInstallation(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, 'installation');
  try {
    await writeFile(file, `${randomBytes(4).toString('hex')}\n`, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
  }
  const id = (await readFile(file, 'utf8')).trim();
  if (/^[0-9a-f]{8}$/.test(id)) return id;
  throw new UserError('invalid-input', `${file} does not hold an installation id`, {
    hint: 'restore it, or remove the state folder to start over',
  });
}
