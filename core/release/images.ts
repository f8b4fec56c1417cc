import type { Image } from '#core/declarations/pipeline.ts';

/** Every `repository@digest` that the manifests of a release name, once each. */
export function referencesIn(manifests: Readonly<Record<string, string>>): string[] {
  const found = Object.values(manifests).flatMap((text) =>
    [...text.matchAll(/^\s*(?:- )?image: "?([^\s"]+@sha256:[0-9a-f]+)"?$/gm)].map(
      ([, reference]) => reference ?? '',
    ),
  );
  return [...new Set(found)];
}

/**
 * What stands for each image now, as far as the release tells: an image that the pipeline builds by its repository or
 * the last part of it, any other by its repository.
 */
export function replaceImages(
  names: readonly string[],
  released: readonly string[],
  built: readonly string[],
  images: readonly Pick<Image, 'name' | 'repository'>[],
): Record<string, string> {
  const found = names.flatMap((name) => {
    const own = images.find((image) => image.name === name)?.repository;
    const reference = released.find((each) => {
      const repository = each.slice(0, each.indexOf('@'));
      if (!built.includes(name)) return repository === withoutTag(name);
      return own === undefined ? repository.endsWith(`/${name}`) : repository === own;
    });
    return reference === undefined ? [] : [[name, reference] as const];
  });
  return Object.fromEntries(found);
}

function withoutTag(image: string): string {
  const colon = image.lastIndexOf(':');
  return colon > image.lastIndexOf('/') ? image.slice(0, colon) : image;
}
