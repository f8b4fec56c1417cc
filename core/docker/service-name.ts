import type { Service } from '#core/docker/kinds-service.ts';
import type { LivePod } from '#core/docker/world.ts';

/** `<service>.<namespace>.svc.cluster.local` */
export function fullName({ metadata }: Service): string {
  return `${metadata.name}.${metadata.namespace ?? 'default'}.svc.cluster.local`;
}

/**
 * Of one of a headless Service's pods: by its hostname where that Service is its subdomain, else by its address, such
 * as `10-88-0-5.web.shop.svc.cluster.local`.
 */
export function endpointName(service: Service, { ip, published }: LivePod): string | undefined {
  const [hostname, subdomain] = published?.split('.') ?? [];
  if (subdomain === service.metadata.name) return `${hostname}.${fullName(service)}`;
  return ip === undefined ? undefined : `${ip.replaceAll('.', '-')}.${fullName(service)}`;
}
