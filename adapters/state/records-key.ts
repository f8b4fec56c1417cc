import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#core/errors.ts';
import { createOnce } from './create-once.ts';

/**
 * The key of the hashes by which deploy workers tell whether a Secret has changed. It is made once: with another one
 * every Secret looks changed. `made` is for a folder that has none.
 */
export async function readRecordsKey(
  stateDir: string,
  made: string = randomBytes(32).toString('hex'),
): Promise<string> {
  const file = join(stateDir, 'records.key');
  await createOnce(file, `${made}\n`);
  const key = (await readFile(file, 'utf8')).trim();
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  throw new UserError('invalid-input', `${file} does not hold a key`, {
    hint: 'put it back from a backup; with a new one every Secret looks changed once',
  });
}
