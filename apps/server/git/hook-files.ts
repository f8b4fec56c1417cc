import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('hook/main.ts', import.meta.url));

/** Writes the hooks that every repository of this server uses; a repository's own are never run. */
export async function writeHooks(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const phase of ['pre-receive', 'post-receive']) {
    const file = join(folder, phase);
    const script = `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(PROGRAM)} ${phase}\n`;
    await writeFile(`${file}.part`, script, { mode: 0o700 });
    await rename(`${file}.part`, file);
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
