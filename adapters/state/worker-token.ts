import { Secret } from '#core/secret.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { readTokens } from './tokens.ts';

/** The token with which a worker speaks to the server, as it is now. */
export type WorkerToken = () => Promise<Secret>;

/** As given, else the one in the state folder that worker and server share, which may be reset at any time. */
export function createWorkerToken(stateDir: string, given: string | undefined): WorkerToken {
  if (given !== undefined && given !== '') {
    const token = new Secret(given);
    return () => Promise.resolve(token);
  }
  return async () => {
    try {
      return new Secret((await readTokens(stateDir)).worker);
    } catch (error) {
      throw new UserError('unauthorized', `there is no worker token: ${messageOf(error)}`, {
        hint: 'start the server first, or set WINDLASS_WORKER_TOKEN to the worker token in its tokens.json',
      });
    }
  };
}
