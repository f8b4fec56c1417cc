import type { PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';

const DELETING = /^deleting-(\d+)\.(.+)$/;

/** Ends every name of a cluster's objects: no two installations or clusters can meet. */
export function suffix(context: Pick<DockerContext, 'cluster' | 'installation'>): string {
  return `${context.cluster}-${context.installation}`;
}

export function podKey(pod: { namespace: string; name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}

export function sandboxName(context: DockerContext, namespace: string, pod: string): string {
  return `${namespace}.${pod}.${suffix(context)}`;
}

/** Of a container, or of a volume, of a pod. */
export function partName(
  context: DockerContext,
  pod: { namespace: string; name: string },
  part: string,
): string {
  return `${pod.namespace}.${pod.name}.${part}.${suffix(context)}`;
}

/** Of a claim: no namespace has an underscore, so no other volume has such a name. */
export function claimVolumeName(
  context: DockerContext,
  claim: { namespace: string; name: string },
): string {
  return `claim_${claim.namespace}.${claim.name}.${suffix(context)}`;
}

/** What Docker calls a volume of the pod. */
export function volumeName(context: DockerContext, pod: PodSpec, volume: string): string {
  const claim = pod.volumes.find(({ name }) => name === volume);
  if (claim?.kind !== 'claim') return partName(context, pod, volume);
  return claimVolumeName(context, { namespace: pod.namespace, name: claim.claim });
}

export function systemName(context: DockerContext, part: string): string {
  return `${part}.${suffix(context)}`;
}

/** A sandbox is renamed when its deletion begins, so that this outlives the worker. */
export function deletingName(name: string, since: number): string {
  return `deleting-${since}.${name}`;
}

export function parseDeletingName(name: string): { since?: number; name: string } {
  const match = DELETING.exec(name);
  if (match === null) return { name };
  return { since: Number(match[1]), name: match[2] ?? '' };
}
