import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '#core/errors.ts';
import type { CliContext } from './context.ts';

const NAME = '.windlass';

/** The state folder that is named, else that of the environment, else the nearest one, here or in a parent folder. */
export async function findStateDir(
  { cwd, stateDir }: Pick<CliContext, 'cwd' | 'stateDir'>,
  named: string | undefined,
): Promise<string> {
  const given = named ?? stateDir;
  if (given !== undefined) return resolve(cwd, given);
  const found = await nearest(cwd);
  if (found !== undefined) return found;
  throw new UserError('not-found', 'there is no `.windlass` folder here or above', {
    hint: 'name the state folder with --state; this is done on the machine of the server',
  });
}

/** Where one is to be made. */
export function newStateDir(
  { cwd, stateDir }: Pick<CliContext, 'cwd' | 'stateDir'>,
  named: string | undefined,
): string {
  return resolve(cwd, named ?? stateDir ?? NAME);
}

async function nearest(folder: string): Promise<string | undefined> {
  const here = join(folder, NAME);
  try {
    await access(join(here, 'tokens.json'));
    return here;
  } catch {
    return dirname(folder) === folder ? undefined : nearest(dirname(folder));
  }
}
