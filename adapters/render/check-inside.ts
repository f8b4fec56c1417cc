import { lstat, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { insideOf } from '#adapters/docker/build-context.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { isRemote, KUSTOMIZATION_FILES, namedIn } from '#core/sources/kustomization.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';

const MOST_KUSTOMIZATIONS = 1_000;

/**
 * A kustomization and all that it is made of lie within the repository; without `network` nothing of it is elsewhere.
 * Kustomize itself sees to it that files do not lie outside of the folder that names them; of folders it does not.
 */
export async function checkKustomization(
  checkout: string,
  folder: string,
  network: boolean,
): Promise<void> {
  const seen = new Set<string>();
  async function check(at: string): Promise<void> {
    if (seen.has(at)) return;
    seen.add(at);
    if (seen.size > MOST_KUSTOMIZATIONS)
      throw new UserError(
        'invalid-input',
        `${relative(checkout, folder)} is made of more than ${MOST_KUSTOMIZATIONS} kustomizations`,
      );
    const file = await kustomizationIn(checkout, at);
    for (const { field, entry } of file?.named ?? []) {
      const path = resolve(at, entry);
      const there = await lstat(path).catch(() => undefined);
      if (there === undefined) {
        if (network || !isRemote(entry)) continue;
        throw new UserError(
          'invalid-input',
          `${file?.name}: ${field}: ${entry} would have to be fetched`,
          { hint: 'bring it into the repository, or say network: true in the deploy entry' },
        );
      }
      const real = await insideOf(checkout, path, `${file?.name}: ${field}:`);
      if ((await lstat(real)).isDirectory()) await check(real);
    }
  }
  await check(folder);
}

async function kustomizationIn(
  checkout: string,
  folder: string,
): Promise<{ name: string; named: ReturnType<typeof namedIn> } | undefined> {
  for (const file of KUSTOMIZATION_FILES) {
    const path = join(folder, file);
    if ((await lstat(path).catch(() => undefined)) === undefined) continue;
    const real = await insideOf(checkout, path, 'the kustomization');
    const name = relative(checkout, path);
    const { documents, problems } = parseYamlDocuments(name, await readFile(real, 'utf8'));
    if (problems.length > 0) throw new InvalidFiles(problems);
    return { name, named: documents.flatMap(({ value }) => namedIn(value)) };
  }
  return undefined;
}
