import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readIfThere } from '../login-file.ts';
import { readDockerfile } from './dockerfile.ts';
import type { FirstImage } from './first-files.ts';

const DEFAULT_PORT = 8080;
const MAX_IMAGES = 10;

/** A valid name made of a folder's name. */
export function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
  return name === '' ? 'app' : name;
}

/** The branch that is checked out; `main` where that cannot be told. */
export async function currentBranch(folder: string): Promise<string> {
  const head = await readIfThere(join(folder, '.git', 'HEAD'));
  return /^ref: refs\/heads\/(\S+)/.exec(head ?? '')?.[1] ?? 'main';
}

/** The image of the Dockerfile here, else one for each folder below that has a Dockerfile, else one still to be written. */
export async function findImages(
  folder: string,
  port: number | undefined,
): Promise<{ images: FirstImage[]; dockerfiles: number }> {
  const here = await imageAt(folder, '.', 'web', port);
  if (here !== undefined) return { images: [here], dockerfiles: 1 };
  const entries = await readdir(folder, { withFileTypes: true });
  const below = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map((entry) => imageAt(folder, entry.name, nameOf(entry.name), port)),
  );
  const images = below.filter((image) => image !== undefined).slice(0, MAX_IMAGES);
  return images.length > 0
    ? { images, dockerfiles: images.length }
    : { images: [{ name: 'web', context: '.', port: port ?? DEFAULT_PORT }], dockerfiles: 0 };
}

async function imageAt(
  folder: string,
  context: string,
  name: string,
  port: number | undefined,
): Promise<FirstImage | undefined> {
  const text = await readIfThere(join(folder, context, 'Dockerfile'));
  if (text === undefined) return undefined;
  const facts = readDockerfile(text);
  return {
    name,
    context,
    port: port ?? facts.port ?? DEFAULT_PORT,
    ...(facts.testStage === undefined ? {} : { testStage: facts.testStage }),
  };
}
