import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '#core/errors.ts';
import { createClient } from './client.ts';
import type { ApiClient, Server } from './client.ts';
import type { CliContext } from './context.ts';
import { readIfThere, readLogin } from './login-file.ts';

const DEFAULT_URL = 'http://127.0.0.1:4380';

/** A client for the server of the environment, else of the login, else of the nearest state folder. */
export async function connect(context: CliContext): Promise<ApiClient> {
  return createClient(await findServer(context), context.signal);
}

export async function findServer({ server, configFile, cwd }: CliContext): Promise<Server> {
  const found = server ?? (await readLogin(configFile)) ?? (await findStateFolder(cwd));
  if (found !== undefined) return found;
  throw new UserError('unauthorized', 'no server is known', {
    hint: 'run `windlass login <url>`, or call windlass where its `.windlass` folder is',
  });
}

const Tokens = z.looseObject({ admin: z.string() });
const Lock = z.looseObject({ url: z.url() });

/** The server whose `.windlass` folder is here or in a parent folder, with the token of its administrator. */
async function findStateFolder(cwd: string): Promise<Server | undefined> {
  const folder = join(cwd, '.windlass');
  const tokens = Tokens.safeParse(await readJson(join(folder, 'tokens.json')));
  if (tokens.success) {
    const lock = Lock.safeParse(await readJson(join(folder, 'server.lock')));
    return { url: lock.success ? lock.data.url : DEFAULT_URL, token: tokens.data.admin };
  }
  return dirname(cwd) === cwd ? undefined : findStateFolder(dirname(cwd));
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse((await readIfThere(file)) ?? 'null');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
