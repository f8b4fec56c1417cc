import { parseManifests } from '#core/resources/parse.ts';
import type { ParsedManifests } from '#core/resources/parse.ts';
import { inNamespace, isForNoTime } from '#core/sources/helm.ts';
import { withOwnImages } from '#core/sources/own-images.ts';

export interface SourceMeaning {
  /** What the pipeline builds. */
  images: readonly string[];
  /** Where goes what names no namespace, where that is another than `default`. */
  namespace?: string | undefined;
}

/** The resources in what a source is, or was rendered to; a chart's without hooks for times that do not come here. */
export function parseSource(
  files: readonly { path: string; text: string }[],
  { images, namespace }: SourceMeaning,
): ParsedManifests {
  return parseManifests(files, (resource) => {
    const named = withOwnImages(resource, images);
    if (namespace === undefined) return named;
    return isForNoTime(named) ? undefined : inNamespace(named, namespace);
  });
}
