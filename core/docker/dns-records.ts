import { isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { portOf } from '#core/docker/named-ports.ts';
import { endpointsOf } from '#core/docker/proxy.ts';
import { endpointName, fullName } from '#core/docker/service-name.ts';
import type { LivePod, RecordsConfig } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

/** Seconds that an answer may be kept, as CoreDNS says of Kubernetes' names. */
const TTL = 5;
export const UNBOUND_PORT = 5335;

/** What the first name server, which knows addresses only, leaves to another one. */
export interface DomainRecords {
  domain: string;
  /** An alias is followed, and what it leads to is answered too. */
  isAlias: boolean;
  /** In the form of a zone's file. */
  records: string[];
}

/** Aliases of Services of type ExternalName, and SRV records of named ports. */
export function recordsOf(
  services: readonly Service[],
  pods: readonly LivePod[],
  now: number,
): DomainRecords[] {
  return services
    .flatMap((service) =>
      service.spec.type === 'ExternalName' ? aliasOf(service) : portsOf(service, pods, now),
    )
    .toSorted((one, other) => (one.domain < other.domain ? -1 : 1));
}

/** A name for a port is nothing rare: only who finds its pods by SRV records waits for them. */
export function needsRecords(service: Service): boolean {
  const { type, ports } = service.spec;
  const isNamed = ports.some(({ name }) => name !== undefined);
  return type === 'ExternalName' || (isHeadless(service) && isNamed);
}

/** Of unbound, which asks the first name server for all it has no records of. */
export function recordsConfig(
  domains: readonly DomainRecords[],
  nameServer: string,
): RecordsConfig {
  if (domains.length === 0) return { unbound: '', hash: contentHash('') };
  const lines = domains.flatMap(({ domain, isAlias, records }) => [
    `local-zone: "${domain}." ${isAlias ? 'redirect' : 'static'}`,
    ...records.map((record) => `local-data: "${record}"`),
  ]);
  const unbound = `server:
  chroot: ""
  username: ""
  directory: "/"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  interface: 127.0.0.1@${UNBOUND_PORT}
  module-config: "iterator"
  unblock-lan-zones: yes
${lines.map((line) => `  ${line}\n`).join('')}forward-zone:
  name: "."
  forward-addr: ${nameServer}
`;
  return { unbound, hash: contentHash(unbound) };
}

function aliasOf(service: Service): DomainRecords[] {
  const { externalName } = service.spec;
  if (externalName === undefined) return [];
  const domain = fullName(service);
  return [{ domain, isAlias: true, records: [`${domain}. ${TTL} IN CNAME ${externalName}.`] }];
}

interface Target {
  host: string;
  port: number;
}

/** A domain for TCP and one for UDP, where there are ports with names. */
function portsOf(service: Service, pods: readonly LivePod[], now: number): DomainRecords[] {
  const named = service.spec.ports.filter(({ name }) => name !== undefined);
  return Object.entries(Object.groupBy(named, ({ protocol }) => protocol)).map(
    ([protocol, ports]) => {
      const domain = `_${protocol.toLowerCase()}.${fullName(service)}`;
      const records = ports.flatMap((port) => {
        const targets: Target[] = isHeadless(service)
          ? endpointsOf(service, pods, now).flatMap((pod) => {
              const number = portOf(pod, port);
              const host = endpointName(service, pod);
              return number === undefined || host === undefined ? [] : [{ host, port: number }];
            })
          : [{ host: fullName(service), port: port.port }];
        const weight = Math.max(1, Math.floor(100 / targets.length));
        const lines = targets.map(
          (target) =>
            `_${port.name}.${domain}. ${TTL} IN SRV 0 ${weight} ${target.port} ${target.host}.`,
        );
        return [...new Set(lines)];
      });
      return { domain, isAlias: false, records };
    },
  );
}
