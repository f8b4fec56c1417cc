import type { LiveRecord } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

const KINDS = ['ConfigMap', 'Secret'];

/** Why a release is refused: it changes what a ConfigMap or Secret holds that is immutable. Both sides are sealed. */
export function findImmutableChange(
  resources: readonly Resource[],
  records: readonly LiveRecord[],
): string | undefined {
  const live = new Map(records.map(({ key, resource }) => [key, resource]));
  const changed = resources.find((resource) => {
    const before = live.get(keyOf(resource));
    if (before === undefined || !KINDS.includes(resource.kind)) return false;
    return before['immutable'] === true && contentOf(before) !== contentOf(resource);
  });
  if (changed === undefined) return undefined;
  return `${keyOf(changed)} is immutable, but the release changes it: give the changed one another name, and use that name where it is used`;
}

/** Labels and annotations may change. */
function contentOf({ immutable, data = {}, binaryData = {} }: Resource): string {
  return contentHash({ immutable: immutable === true, data, binaryData });
}
