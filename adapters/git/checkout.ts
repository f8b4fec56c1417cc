import { mkdir, rm } from 'node:fs/promises';
import type { Environment } from './environment.ts';
import { spawnGit } from './spawn-git.ts';

interface Checkout {
  /** The bare repository that has the commit. */
  mirror: string;
  commit: string;
  into: string;
  environment: Environment;
}

/**
 * Fills a fresh folder with exactly the commit. Through an index of its own: no hooks run, nothing is written to the
 * mirror, a submodule is an empty folder, and a file kept by LFS is its pointer.
 */
export async function checkoutCommit(
  { mirror, commit, into, environment }: Checkout,
  signal: AbortSignal,
): Promise<void> {
  const index = `${into}.index`;
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  const client = {
    folder: mirror,
    environment: {
      ...environment,
      GIT_DIR: mirror,
      GIT_WORK_TREE: into,
      GIT_INDEX_FILE: index,
    },
    signal,
  };
  try {
    await spawnGit(client, ['read-tree', '--reset', '-u', commit]);
  } finally {
    await rm(index, { force: true });
    await rm(`${index}.lock`, { force: true });
  }
}
