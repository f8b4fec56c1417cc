import type { LiveRecord } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource } from '#core/resources/resource.ts';

const KINDS = ['ConfigMap', 'Secret'];

/** What Kubernetes changes never: of the spec where the kind has one. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  StatefulSet: ['selector', 'serviceName', 'podManagementPolicy', 'volumeClaimTemplates'],
  StorageClass: ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'],
  PersistentVolumeClaim: ['storageClassName'],
};

/**
 * Why a release is refused: it changes what a ConfigMap or Secret holds that is immutable, or of a StatefulSet, a claim or
 * its class what volumes were made by. Both sides are sealed.
 */
export function findImmutableChange(
  resources: readonly Resource[],
  records: readonly LiveRecord[],
): string | undefined {
  return findContentChange(resources, records) ?? findFieldChange(resources, records);
}

function findFieldChange(
  resources: readonly Resource[],
  records: readonly LiveRecord[],
): string | undefined {
  const live = new Map(records.map(({ key, resource }) => [key, resource]));
  for (const resource of resources) {
    const before = live.get(keyOf(resource));
    const field = FIELDS[resource.kind]?.find(
      (each) => before !== undefined && partOf(before, each) !== partOf(resource, each),
    );
    if (field !== undefined)
      return `${keyOf(resource)}: ${'spec' in resource ? 'spec.' : ''}${field} cannot change: give the changed one another name, or release it without this one first`;
  }
  return undefined;
}

function partOf(resource: Resource, field: string): string {
  const { spec = resource } = resource;
  return contentHash({ part: (spec as Record<string, unknown>)[field] });
}

function findContentChange(
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
