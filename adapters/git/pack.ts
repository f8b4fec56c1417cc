import { gitEnvironment } from './environment.ts';
import { spawnGit } from './spawn-git.ts';

const TIMEOUT_MS = 600_000;
const CONFIG = [
  ['gc.auto', '2000'],
  ['gc.autoPackLimit', '30'],
  ['gc.autoDetach', 'false'],
] as const;

/** Every fetch, push and release adds packs, loose objects and refs; git decides when it is time to put them together. */
export async function packRepository(
  folder: string,
  machine: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  const environment = gitEnvironment(machine, CONFIG);
  await spawnGit({ folder, environment, signal, silenceMs: TIMEOUT_MS }, [
    'gc',
    '--auto',
    '--quiet',
  ]);
}
