import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, UserError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';

const Tokens = z.looseObject({ worker: z.string().min(1) });

/** The token with which a worker speaks to the server: as given, else the one in the state folder they share. */
export async function readWorkerToken(
  stateDir: string,
  given: string | undefined,
): Promise<Secret> {
  if (given !== undefined && given !== '') return new Secret(given);
  const file = join(stateDir, 'tokens.json');
  try {
    return new Secret(Tokens.parse(JSON.parse(await readFile(file, 'utf8'))).worker);
  } catch (error) {
    throw new UserError(
      'unauthorized',
      `there is no worker token in ${file}: ${messageOf(error)}`,
      {
        hint: 'start the server first, or set WINDLASS_WORKER_TOKEN to the worker token in its tokens.json',
      },
    );
  }
}
