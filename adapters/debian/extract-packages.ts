import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { downloadPackages } from './apt.ts';
import { runProgram } from './run-program.ts';

const EXTRACT_TIMEOUT_MS = 120_000;

/**
 * Takes packages and their libraries apart into `folder`, which appears whole or not at all; what is there already
 * is kept. Nothing is installed.
 */
export async function extractPackages(
  packages: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  if (await exists(folder)) return;
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}.new-`);
  try {
    await mkdir(join(temporary, 'partial'));
    await downloadPackages(packages, temporary, signal);
    const root = join(temporary, 'root');
    for (const file of await readdir(temporary)) {
      if (!file.endsWith('.deb')) continue;
      const args = ['-x', join(temporary, file), root];
      await runProgram({ command: 'dpkg-deb', args, timeoutMs: EXTRACT_TIMEOUT_MS, signal });
    }
    if (!(await exists(folder))) await rename(root, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
