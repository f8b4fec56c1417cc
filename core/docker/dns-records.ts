import type { Service } from '#core/docker/kinds-service.ts';
import { fullName } from '#core/docker/service-name.ts';

/** Seconds that an answer may be kept, as CoreDNS says of Kubernetes' names. */
const TTL = 5;
export const UNBOUND_PORT = 5335;

/** What the first name server, which knows addresses only, leaves to another one. */
interface DomainRecords {
  domain: string;
  /** An alias is followed, and what it leads to is answered too. */
  isAlias: boolean;
  /** In the form of a zone's file. */
  records: string[];
}

export function recordsOf(services: readonly Service[]): DomainRecords[] {
  return services.flatMap(aliasOf).toSorted((one, other) => (one.domain < other.domain ? -1 : 1));
}

/** Of unbound, which asks the first name server for all it has no records of. */
export function unboundConfig(domains: readonly DomainRecords[], nameServer: string): string {
  if (domains.length === 0) return '';
  const lines = domains.flatMap(({ domain, isAlias, records }) => [
    `local-zone: "${domain}." ${isAlias ? 'redirect' : 'static'}`,
    ...records.map((record) => `local-data: "${record}"`),
  ]);
  return `server:
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
}

function aliasOf(service: Service): DomainRecords[] {
  const { type, externalName } = service.spec;
  if (type !== 'ExternalName' || externalName === undefined) return [];
  const domain = fullName(service);
  return [{ domain, isAlias: true, records: [`${domain}. ${TTL} IN CNAME ${externalName}.`] }];
}
