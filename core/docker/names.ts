import type { Service } from '#core/docker/kinds-service.ts';
import { endpointsOf, namespaceOf } from '#core/docker/proxy.ts';
import { udpNames } from '#core/docker/udp.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import type { DnsConfig, LivePod } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

/** `<service>.<namespace>.svc.cluster.local`, the name that the pods' search domains lead to. */
export function dnsConfig(
  services: readonly AddressedService[],
  headless: readonly Service[],
  pods: readonly LivePod[],
  now: number,
): DnsConfig {
  const named: [string, string[]][] = [
    ...services.map(({ service, address }): [string, string[]] => [nameOf(service), [address]]),
    ...headless.map((service): [string, string[]] => [
      nameOf(service),
      podAddresses(service, pods, now),
    ]),
    ...udpNames(services, pods, now),
  ];
  const hosts = Object.fromEntries(named.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  return { hosts, hash: contentHash(hosts) };
}

function podAddresses(service: Service, pods: readonly LivePod[], now: number): string[] {
  return endpointsOf(service, pods, now).flatMap(({ ip }) => ip ?? []);
}

function nameOf(service: Service): string {
  return `${service.metadata.name}.${namespaceOf(service)}.svc.cluster.local`;
}
