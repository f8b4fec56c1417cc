import type { InspectedContainer } from './inspected.ts';
import type { ClusterNetwork } from './network.ts';

/**
 * Where the pod of a sandbox is reached from within the cluster: on the host's network by the address that the host itself
 * has in the cluster's. Absent where it has none now.
 */
export function podAddress(
  { HostConfig, NetworkSettings }: Pick<InspectedContainer, 'HostConfig' | 'NetworkSettings'>,
  { name, gateway }: Pick<ClusterNetwork, 'name' | 'gateway'>,
): string | undefined {
  if (HostConfig.NetworkMode === 'host') return gateway;
  const address = NetworkSettings.Networks?.[name]?.IPAddress ?? '';
  return address === '' ? undefined : address;
}

/** Where probes of a pod on the host's network that name an address of the host are made from: its sandbox. */
export function onHost({ Id, HostConfig }: Pick<InspectedContainer, 'Id' | 'HostConfig'>): {
  hostSandbox?: string;
} {
  return HostConfig.NetworkMode === 'host' ? { hostSandbox: Id } : {};
}
