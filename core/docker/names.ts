import type { DomainRecords } from '#core/docker/dns-records.ts';
import { isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { endpointsOf } from '#core/docker/proxy.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import { endpointName, fullName } from '#core/docker/service-name.ts';
import { udpNames } from '#core/docker/udp.ts';
import type { DnsConfig, LivePod } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

interface NamedWorld {
  services: readonly AddressedService[];
  /** Headless ones and names of what is elsewhere. */
  unaddressed: readonly Service[];
  pods: readonly LivePod[];
  records: readonly DomainRecords[];
  now: number;
}

/** The Services' full names, which the pods' search domains lead to, and of headless ones the pods' too. */
export function dnsConfig({ services, unaddressed, pods, records, now }: NamedWorld): DnsConfig {
  const headless = unaddressed.filter(isHeadless);
  const named: [string, string[]][] = [
    ...services.map(({ service, address }): [string, string[]] => [fullName(service), [address]]),
    ...headless.flatMap((service) => headlessNames(service, pods, now)),
    ...udpNames(services, pods, now),
  ];
  const hosts = Object.fromEntries(named.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  const domains = records.map(({ domain }) => domain);
  return { hosts, domains, hash: contentHash({ hosts, domains }) };
}

function headlessNames(
  service: Service,
  pods: readonly LivePod[],
  now: number,
): [string, string[]][] {
  const endpoints = endpointsOf(service, pods, now).flatMap((pod) => {
    const name = endpointName(service, pod);
    return name === undefined || pod.ip === undefined ? [] : [{ name, ip: pod.ip }];
  });
  // Pods may have the same hostname.
  const byName = Map.groupBy(endpoints, ({ name }) => name);
  return [
    [fullName(service), endpoints.map(({ ip }) => ip)],
    ...[...byName].map(([name, found]): [string, string[]] => [name, found.map(({ ip }) => ip)]),
  ];
}
