import { recordsOf, unboundConfig } from '#core/docker/dns-records.ts';
import { isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { endpointsOf } from '#core/docker/proxy.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import { fullName } from '#core/docker/service-name.ts';
import { udpNames } from '#core/docker/udp.ts';
import type { DnsConfig, LivePod } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

interface NamedWorld {
  services: readonly AddressedService[];
  /** Headless ones and names of what is elsewhere. */
  unaddressed: readonly Service[];
  pods: readonly LivePod[];
  nameServer: string;
  now: number;
}

/** `<service>.<namespace>.svc.cluster.local`, the name that the pods' search domains lead to. */
export function dnsConfig({ services, unaddressed, pods, nameServer, now }: NamedWorld): DnsConfig {
  const headless = unaddressed.filter(isHeadless);
  const named: [string, string[]][] = [
    ...services.map(({ service, address }): [string, string[]] => [fullName(service), [address]]),
    ...headless.map((service): [string, string[]] => [
      fullName(service),
      podAddresses(service, pods, now),
    ]),
    ...udpNames(services, pods, now),
  ];
  const hosts = Object.fromEntries(named.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  const records = recordsOf(unaddressed);
  const config = {
    hosts,
    domains: records.map(({ domain }) => domain),
    unbound: unboundConfig(records, nameServer),
  };
  return { ...config, hash: contentHash(config) };
}

function podAddresses(service: Service, pods: readonly LivePod[], now: number): string[] {
  return endpointsOf(service, pods, now).flatMap(({ ip }) => ip ?? []);
}
