import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gitEnvironment } from './environment.ts';
import { spawnGit } from './spawn-git.ts';

const TIMEOUT_MS = 600_000;
const MOST_LOOSE = 2_000;
const MOST_PACKS = 30;
const CONFIG = [
  ['gc.auto', String(MOST_LOOSE)],
  ['gc.autoPackLimit', String(MOST_PACKS)],
  ['gc.autoDetach', 'false'],
] as const;
/** Loose objects lie in as many folders, evenly: git counts those of this one. */
const FOLDERS = 256;
const COUNTED = '17';

/**
 * Every fetch, push and release adds packs, loose objects and refs; git decides when it is time to put them together. It
 * is not asked where there are clearly too few: of a thousand repositories that would be a thousand processes.
 */
export async function packRepository(
  folder: string,
  machine: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  if (!(await mayBeDue(join(folder, 'objects')))) return;
  const environment = gitEnvironment(machine, CONFIG);
  await spawnGit({ folder, environment, signal, silenceMs: TIMEOUT_MS }, [
    'gc',
    '--auto',
    '--quiet',
  ]);
}

async function mayBeDue(objects: string): Promise<boolean> {
  const [loose, packs] = await Promise.all([
    namesIn(join(objects, COUNTED)),
    namesIn(join(objects, 'pack')),
  ]);
  return (
    loose.length >= MOST_LOOSE / FOLDERS ||
    packs.filter((name) => name.endsWith('.pack')).length >= MOST_PACKS
  );
}

/** None where git has not made the folder. */
function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
