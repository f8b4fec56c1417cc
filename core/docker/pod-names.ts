import type { DnsConfig, HostAlias } from '#core/docker/kinds-dns.ts';
import type { PodNames } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

/** A resolver asks no more of them. */
const MOST_NAMESERVERS = 3;

export interface SaysNames {
  hostAliases?: readonly HostAlias[] | undefined;
  dnsPolicy?: 'ClusterFirst' | 'None' | undefined;
  dnsConfig?: DnsConfig | undefined;
}

/** As the kubelet writes resolv.conf: what dnsConfig adds comes after the cluster's own, and an option replaces its namesake. */
export function namesOf(spec: SaysNames, namespace: string): PodNames {
  const inCluster = spec.dnsPolicy !== 'None';
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const merged = new Map<string, string | undefined>(inCluster ? [['ndots', '5']] : []);
  for (const { name, value } of options) merged.set(name, value);
  return {
    hosts: (spec.hostAliases ?? []).flatMap(({ ip, hostnames }) =>
      hostnames.map((name) => ({ name, ip })),
    ),
    asksCluster: inCluster,
    nameservers,
    searches: [...new Set([...(inCluster ? clusterSearches(namespace) : []), ...searches])],
    options: [...merged].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)),
  };
}

export function checkNames(
  { dnsPolicy, dnsConfig }: SaysNames,
  path: FieldPath,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  const nameservers = dnsConfig?.nameservers ?? [];
  if (dnsPolicy === 'None' && nameservers.length === 0)
    report([...path, 'dnsPolicy'], 'None needs a nameserver', 'add dnsConfig.nameservers');
  if (dnsPolicy !== 'None' && nameservers.length === MOST_NAMESERVERS)
    report(
      [...path, 'dnsConfig', 'nameservers'],
      `with the cluster's own there are more than ${MOST_NAMESERVERS}`,
    );
}

function clusterSearches(namespace: string): string[] {
  return [`${namespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local'];
}
