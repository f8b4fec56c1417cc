import { readFile, readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SourceFile } from '#core/declarations/read.ts';
import { UserError } from '#core/errors.ts';

const MAX_FILES = 2_000;

/**
 * The YAML and JSON files at a path below `top` (a folder with its subfolders, or one file), by name, as the build
 * worker reads them; links are left out. Paths are told as from `top`, with forward slashes.
 */
export async function readManifestFiles(top: string, path: string): Promise<SourceFile[]> {
  const clean = path.replace(/\/+$/, '') || '.';
  const found = await stat(resolve(top, clean)).catch(() => undefined);
  if (found === undefined) {
    throw new UserError('not-found', `${path} is not there`, { hint: `looked in ${top}` });
  }
  const paths = found.isDirectory() ? await listFiles(top, clean) : [clean];
  if (paths.length > MAX_FILES) {
    throw new UserError('invalid-input', `${path} has more than ${MAX_FILES} manifest files`);
  }
  return Promise.all(
    paths.map(async (file) => ({ path: file, text: await readFile(resolve(top, file), 'utf8') })),
  );
}

async function listFiles(top: string, folder: string): Promise<string[]> {
  const entries = await readdir(resolve(top, folder), { withFileTypes: true });
  const nested = await Promise.all(
    entries
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(async (entry) => {
        const path = folder === '.' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) return isPassedOver(entry.name) ? [] : listFiles(top, path);
        return entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) ? [path] : [];
      }),
  );
  return nested.flat();
}

function isPassedOver(folder: string): boolean {
  return folder === '.git' || folder === 'node_modules';
}
