import { DEFAULT_CLASS_ANNOTATION } from '#core/docker/kinds-storage.ts';
import type { StorageClass } from '#core/docker/kinds-storage.ts';
import type { Provision } from '#core/docker/world.ts';
import type { Resource } from '#core/resources/resource.ts';

/** What knows classes: records, and resources that are not recorded yet. */
export type Classes = readonly { resource: Resource; recordedAt: number }[];

const WITHOUT_CLASS: Provision = { driver: 'local', options: {} };

/**
 * How the volume of a claim is made that names that class (`''`: none; absent: the default one, of several the newest).
 * Absent where there is no such class.
 */
export function provisionOf(name: string | undefined, classes: Classes): Provision | undefined {
  if (name === '') return WITHOUT_CLASS;
  const all = classes.flatMap(({ resource, recordedAt }) =>
    resource.kind === 'StorageClass'
      ? [{ storage: resource as unknown as StorageClass, recordedAt }]
      : [],
  );
  if (name !== undefined) {
    const named = all.find(({ storage }) => storage.metadata.name === name);
    return named === undefined ? undefined : provision(named.storage);
  }
  const [newest] = all
    .filter(({ storage }) => storage.metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true')
    .toSorted((one, other) => other.recordedAt - one.recordedAt);
  return newest === undefined ? WITHOUT_CLASS : provision(newest.storage);
}

function provision({ provisioner, parameters = {}, reclaimPolicy }: StorageClass): Provision {
  return { driver: provisioner, options: parameters, reclaim: reclaimPolicy };
}
