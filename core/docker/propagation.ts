import type { Volume } from '#core/docker/kinds.ts';
import type { SecurityContext } from '#core/docker/kinds-security.ts';
import type { VolumeMount } from '#core/docker/kinds-volumes.ts';
import type { Mount } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

type Says = Pick<VolumeMount, 'name' | 'mountPropagation'>;

export function propagationOf({
  mountPropagation: says,
}: Pick<Says, 'mountPropagation'>): Pick<Mount, 'propagation'> {
  if (says === undefined || says === 'None') return {};
  return { propagation: says === 'Bidirectional' ? 'both' : 'fromHost' };
}

export function checkPropagation(
  container: {
    volumeMounts: readonly Says[];
    securityContext?: Pick<SecurityContext, 'privileged'> | undefined;
  },
  volumes: readonly Pick<Volume, 'name' | 'hostPath'>[],
  path: FieldPath,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  container.volumeMounts.forEach((mount, index) => {
    if (propagationOf(mount).propagation === undefined) return;
    const at = [...path, 'volumeMounts', index, 'mountPropagation'];
    const volume = volumes.find(({ name }) => name === mount.name);
    if (volume !== undefined && volume.hostPath === undefined)
      report(at, 'Docker shares mounts of a hostPath only', 'leave it out, or say None');
    if (
      mount.mountPropagation === 'Bidirectional' &&
      container.securityContext?.privileged !== true
    )
      report(at, 'Bidirectional is for privileged containers only');
  });
}
