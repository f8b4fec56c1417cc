import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '#core/errors.ts';
import { gitEnvironment } from './environment.ts';
import { spawnGit } from './spawn-git.ts';

const SILENCE_MS = 600_000;
/** What git itself keeps beside refs and objects, that makes a repository this one. */
const ITS_OWN = ['HEAD', 'config'];

/** A copy of a bare repository, whole however much goes on in it: every ref as it was at one moment, with its objects. */
export async function copyRepository(
  from: string,
  to: string,
  machine: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  const environment = gitEnvironment(machine);
  async function git(folder: string, ...args: string[]): Promise<void> {
    await spawnGit({ folder, environment, signal, silenceMs: SILENCE_MS }, args);
  }
  await mkdir(to, { recursive: true, mode: 0o700 });
  await git(to, 'init', '--quiet', '--bare', '--template=');
  await git(to, 'config', 'receive.unpackLimit', '1');
  if (await hasRefs(from)) {
    await git(from, 'push', '--quiet', '--mirror', to).catch((error: unknown) => {
      signal.throwIfAborted();
      const [why = ''] = messageOf(error).trim().split('\n');
      throw new UserError('unavailable', `${from} cannot be copied: ${why.trim()}`, {
        cause: error,
        hint: `is there room at ${to}? Does \`git fsck\` find it whole?`,
      });
    });
  }
  const others = (await readdir(from)).filter((name) => /^windlass-.*\.json$/.test(name));
  for (const name of [...ITS_OWN, ...others]) await copyFile(join(from, name), join(to, name));
}

/** Git calls it a failure to push nothing. */
async function hasRefs(repository: string): Promise<boolean> {
  const found = await readdir(join(repository, 'refs'), { recursive: true, withFileTypes: true });
  if (found.some((entry) => entry.isFile())) return true;
  return (await readdir(repository)).includes('packed-refs');
}
