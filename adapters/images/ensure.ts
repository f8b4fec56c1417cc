import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { registryOf } from '#adapters/docker/credentials.ts';
import { hasImage, pullImage } from '#adapters/docker/pull.ts';
import { hasApt } from '#adapters/debian/apt.ts';
import type { ToolSearch } from '#adapters/debian/tool.ts';
import type { SystemImages } from '#core/images.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { RECIPES } from './recipes.ts';
import type { ImageRecipe } from './recipes.ts';
import { makeRootFileSystem } from './root-file-system.ts';

const PULL_TIMEOUT_MS = 10_000;
const IMPORT_TIMEOUT_MS = 120_000;

export interface EnsuredImage {
  image: string;
  how: 'present' | 'pulled' | 'built';
}

/** Makes every image be in the engine: what is there is used, else pulled, else made of Debian packages. */
export async function ensureImages(
  docker: Docker,
  images: SystemImages,
  search: ToolSearch,
  signal: AbortSignal,
): Promise<EnsuredImage[]> {
  const unreachable = new Map<string, string>();
  const done: EnsuredImage[] = [];
  for (const [role, recipe] of Object.entries(RECIPES)) {
    const image = images[role as keyof SystemImages];
    done.push({ image, how: await ensure(docker, { image, recipe, search, unreachable }, signal) });
  }
  return done;
}

interface Wanted {
  image: string;
  recipe: ImageRecipe;
  search: ToolSearch;
  /** Registries that did not answer, and what was said. */
  unreachable: Map<string, string>;
}

async function ensure(
  docker: Docker,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<EnsuredImage['how']> {
  const { image, recipe, search } = wanted;
  if (await hasImage(docker, image, signal)) return 'present';
  if (await pull(docker, wanted, signal)) return 'pulled';
  if (!(await hasApt(search.path))) {
    throw new UserError(
      'unavailable',
      `the image ${image} is not in the Docker engine and cannot be pulled: ${wanted.unreachable.get(registryOf(image))}`,
      {
        hint: `load it with \`docker load\` or pull it while its registry can be reached`,
      },
    );
  }
  const archive = await makeRootFileSystem(recipe, search.tools, signal);
  await importImage(docker, { image, archive, changes: recipe.changes }, signal);
  return 'built';
}

async function pull(
  docker: Docker,
  { image, unreachable }: Wanted,
  signal: AbortSignal,
): Promise<boolean> {
  const registry = registryOf(image);
  if (unreachable.has(registry)) return false;
  const timeout = AbortSignal.timeout(PULL_TIMEOUT_MS);
  try {
    await pullImage(docker, image, undefined, AbortSignal.any([signal, timeout]));
    return true;
  } catch (error) {
    signal.throwIfAborted();
    unreachable.set(registry, timeout.aborted ? 'it took too long' : messageOf(error));
    return false;
  }
}

/** Makes an image of one layer out of a tar archive of its root, as `docker import` does. */
async function importImage(
  docker: Docker,
  { image, archive, changes }: { image: string; archive: Buffer; changes: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const colon = image.lastIndexOf(':');
  await callDocker(docker, {
    method: 'POST',
    path: '/images/create',
    query: {
      fromSrc: '-',
      repo: image.slice(0, colon),
      tag: image.slice(colon + 1),
      changes: changes.join('\n'),
    },
    file: archive,
    timeoutMs: IMPORT_TIMEOUT_MS,
    signal,
  });
  if (!(await hasImage(docker, image, signal))) throw new Error(`${image} was not imported`);
}
