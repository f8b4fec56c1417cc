import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extractPackages } from '#adapters/debian/extract-packages.ts';
import { fileOfPackage } from './npm-file.ts';

const TOOLS = join(tmpdir(), 'windlass-test-tools');
/** A BusyBox by its own defaults, as the public images have it: its `nc` is another than that of Debian. For x86-64. */
const BY_DEFAULTS = 'busybox-static@1.35.0';

/** Paths of both kinds of BusyBox, brought once and kept for other tests on this machine. */
export async function findBusyboxes(): Promise<{ debian: string; byDefaults: string }> {
  const root = join(TOOLS, 'busybox-of-debian');
  await extractPackages(['busybox-static'], root, AbortSignal.timeout(100_000));
  const byDefaults = join(TOOLS, 'busybox-by-defaults');
  if (!(await isThere(byDefaults))) await bring(byDefaults);
  return { debian: join(root, 'bin', 'busybox'), byDefaults };
}

async function bring(path: string): Promise<void> {
  await mkdir(TOOLS, { recursive: true });
  const folder = await mkdtemp(join(TOOLS, 'busybox-'));
  try {
    const program = await fileOfPackage(BY_DEFAULTS, 'bin/busybox', folder);
    await chmod(program, 0o755);
    await rename(program, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
