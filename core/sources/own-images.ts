import { withImages } from '#core/render.ts';
import type { Resource } from '#core/resources/resource.ts';

/** The tag by which a chart that insists on one names an image of the pipeline. */
const OWN_TAG = 'windlass';

/** With `web:windlass` as `web`, where the pipeline builds an image of that name. */
export function withOwnImages(resource: Resource, names: readonly string[]): Resource {
  const own = Object.fromEntries(names.map((name) => [`${name}:${OWN_TAG}`, name]));
  return withImages(resource, own);
}
