import type { Service } from '#core/docker/kinds-service.ts';

/** `<service>.<namespace>.svc.cluster.local` */
export function fullName({ metadata }: Service): string {
  return `${metadata.name}.${metadata.namespace ?? 'default'}.svc.cluster.local`;
}
