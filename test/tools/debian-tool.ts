import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib'];

export interface Tool {
  path: string;
  environment: Record<string, string>;
}

/** A program out of Debian packages, taken apart in a folder that is kept for the next run; nothing is installed. */
export async function debianTool(program: string, packages: readonly string[]): Promise<Tool> {
  const folder = join(tmpdir(), 'windlass-test-tools', program);
  const path = join(folder, 'usr/bin', program);
  if (!(await isThere(path))) await unpack(folder, packages);
  const libraries = LIBRARIES.map((each) => join(folder, each)).join(':');
  return { path, environment: { LD_LIBRARY_PATH: libraries, PATH: process.env['PATH'] ?? '' } };
}

async function unpack(folder: string, packages: readonly string[]): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const temporary = await mkdtemp(`${folder}-`);
  try {
    await run('apt-get', ['download', ...packages], { cwd: temporary });
    for (const file of await readdir(temporary)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', file, 'root'], { cwd: temporary });
    }
    if (!(await isThere(folder))) await rename(join(temporary, 'root'), folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
