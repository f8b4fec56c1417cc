import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';

/** A task's name is that of its pod's host too, which has 64 characters: with a hash, a number of four, and an id. */
const READABLE = 18;

/**
 * Starts with the workload's own name; no two installations, clusters or resources can meet. `part` tells a workload's
 * services apart, where it has several.
 */
export function serviceName(
  { cluster, installation }: SwarmPlace,
  key: ResourceKey,
  part = '',
): string {
  const name = part === '' ? key.slice(key.lastIndexOf('/') + 1) : part;
  const readable = name.slice(0, READABLE).replace(/-+$/, '');
  const of = { cluster, installation, key, ...(part === '' ? {} : { part }) };
  return `${readable}-${contentHash(of)}`;
}

/** `digest` stands for the content: of a Secret it must tell nothing of it. */
export function fileName(place: SwarmPlace, owner: OwnerKey, digest: string): string {
  return `file-${contentHash({ ...place, owner })}-${digest.slice(0, 32)}`;
}

export function recordName({ cluster, installation }: SwarmPlace, key: ResourceKey): string {
  return `record-${contentHash({ cluster, installation, key })}`;
}

/** Of the volume of a claim, on whichever server, and of what says where that is. */
export function claimVolume(
  { cluster, installation }: SwarmPlace,
  claim: { namespace: string; name: string },
): string {
  const { namespace, name } = claim;
  const readable = name.slice(0, READABLE).replace(/-+$/, '');
  return `claim-${readable}-${contentHash({ cluster, installation, namespace, name })}`;
}

/** Of what is kept of a certificate that is asked for. */
export function certificateName({ cluster, installation }: SwarmPlace, name: string): string {
  return `certificate-${contentHash({ cluster, installation, name })}`;
}

/** Of the volume of a server that has the program which asks tasks. */
export function probesVolume(place: SwarmPlace): string {
  return `probes.${networkName(place)}`;
}

export function networkName({ cluster, installation }: SwarmPlace): string {
  return `${cluster}-${installation}`;
}
