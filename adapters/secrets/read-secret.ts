import { readFile } from 'node:fs/promises';
import type { SecretRef } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';

export type ReadSecret = (reference: SecretRef) => Promise<Secret>;

/** Reads secrets that declarations name: a file, without its last line end, or a variable of `environment`. */
export function createSecretReader(
  environment: Readonly<Record<string, string | undefined>>,
): ReadSecret {
  return async function readSecret(reference) {
    if ('env' in reference) {
      const value = environment[reference.env];
      if (value !== undefined && value !== '') return new Secret(value);
      throw new UserError('not-found', `the variable ${reference.env} is not set here`, {
        hint: 'set it for the server and for every worker that needs it',
      });
    }
    const value = (await textOf(reference.file)).replace(/\r?\n$/, '');
    if (value !== '') return new Secret(value);
    throw new UserError('not-found', `the secret file ${reference.file} is empty`, {
      hint: 'write the secret into it, for the server and for every worker that needs it',
    });
  };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError('not-found', `the secret file cannot be read: ${messageOf(error)}`, {
      hint: 'it must be readable for the server and for every worker that needs it',
    });
  }
}
