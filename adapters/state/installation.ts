import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import { createOnce } from './create-once.ts';

/** The id of a state folder, made with it: everything in Docker that belongs to it carries this id. */
export async function readInstallation(
  stateDir: string,
  made: string = randomBytes(4).toString('hex'),
): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, 'installation');
  await createOnce(file, `${made}\n`);
  const id = (await readFile(file, 'utf8')).trim();
  if (/^[0-9a-f]{8}$/.test(id)) return id;
  throw new UserError('invalid-input', `${file} does not hold an installation id`, {
    hint: 'put it back from a backup, or remove the state folder to start over',
  });
}
