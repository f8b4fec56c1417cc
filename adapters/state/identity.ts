import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { UserError } from '#core/errors.ts';
import type { Identity, ServerApi } from '#core/ports.ts';
import { readInstallation } from './installation.ts';
import { readRecordsKey } from './records-key.ts';
import { checkStateVersion } from './state-version.ts';

const ASK_AGAIN_MS = 2_000;

/** What a state folder is, made where it is not there yet. */
export async function makeIdentity(stateDir: string): Promise<Identity> {
  const installation = await readInstallation(stateDir);
  return { installation, recordsKey: await readRecordsKey(stateDir) };
}

/**
 * What the server's state folder is, for a worker: out of its own folder, where the server made it if they share it, or
 * where this has kept it. Waits for a server that does not answer yet.
 */
export async function learnIdentity(
  stateDir: string,
  server: Pick<ServerApi, 'identity'>,
  log: Logger,
  signal: AbortSignal,
): Promise<Identity> {
  await checkStateVersion(stateDir);
  if (!(await hasAll(stateDir))) {
    const told = await ask(server, log, signal);
    const installation = await readInstallation(stateDir, told.installation);
    if (installation !== told.installation) {
      throw new UserError(
        'conflict',
        `${stateDir} is of installation ${installation}, and the server's is ${told.installation}`,
        { hint: 'give this worker a state folder of its own (WINDLASS_STATE), or the server’s' },
      );
    }
    await readRecordsKey(stateDir, told.recordsKey);
  }
  return makeIdentity(stateDir);
}

async function ask(
  server: Pick<ServerApi, 'identity'>,
  log: Logger,
  signal: AbortSignal,
): Promise<Identity> {
  for (;;) {
    try {
      return await server.identity(signal);
    } catch (error) {
      if (!(error instanceof UserError) || !error.transient) throw error;
      log.info({ reason: error.message }, 'waiting for the server');
      await sleep(ASK_AGAIN_MS, undefined, { signal });
    }
  }
}

async function hasAll(stateDir: string): Promise<boolean> {
  try {
    for (const name of ['installation', 'records.key']) await access(join(stateDir, name));
    return true;
  } catch {
    return false;
  }
}
