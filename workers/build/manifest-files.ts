import { lstat, readFile, readdir, realpath } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { insideOf } from '#adapters/docker/build-context.ts';
import { UserError } from '#core/errors.ts';

const FILE_BYTES = 1_024 * 1_024;
const ALL_BYTES = 10 * FILE_BYTES;
const EXTENSION = /\.(ya?ml|json)$/;

export interface ManifestFile {
  /** From the top of the repository. */
  path: string;
  text: string;
}

/** The manifests of a folder with all below it, or of one file, in the order of their paths. Links are not followed. */
export async function readManifestFiles(checkout: string, folder: string): Promise<ManifestFile[]> {
  const top = await realpath(checkout);
  const start = await insideOf(top, resolve(top, folder), 'the manifests folder');
  const paths = (await lstat(start)).isFile() ? [start] : await filesBelow(start);
  let total = 0;
  const files: ManifestFile[] = [];
  for (const path of paths) {
    const name = relative(top, path);
    const { size } = await lstat(path);
    total += size;
    if (size > FILE_BYTES)
      throw new UserError(
        'invalid-input',
        `${name} is larger than 1 MiB, too large for a manifest`,
      );
    if (total > ALL_BYTES)
      throw new UserError('invalid-input', `the manifests in ${folder} are larger than 10 MiB`);
    files.push({ path: name, text: await readFile(path, 'utf8') });
  }
  return files;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true });
  const sorted = found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const paths = [];
  for (const each of sorted) {
    const path = join(folder, each.name);
    if (each.isDirectory()) for (const file of await filesBelow(path)) paths.push(file);
    else if (each.isFile() && EXTENSION.test(each.name)) paths.push(path);
  }
  return paths;
}
