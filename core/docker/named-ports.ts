import type { Protocol } from '#core/docker/kind-words.ts';
import type { ServicePort } from '#core/docker/kinds-service.ts';
import type { LivePod } from '#core/docker/world.ts';

/** Where a pod serves what a Service's port leads to; absent where it has no port of that name and protocol. */
export function portOf(
  pod: LivePod,
  { targetPort, protocol }: Pick<ServicePort, 'targetPort' | 'protocol'>,
): number | undefined {
  return typeof targetPort === 'number' ? targetPort : pod.ports[portKey(targetPort, protocol)];
}

/** What a pod's named port is found by. */
export function portKey(name: string, protocol: Protocol): string {
  return protocol === 'TCP' ? name : `${name}/${protocol}`;
}
