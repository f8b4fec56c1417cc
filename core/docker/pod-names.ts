import type { DnsConfig, DnsPolicy, HostAlias } from '#core/docker/kinds-dns.ts';
import type { PodNames } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

/** A resolver asks no more of them. */
const MOST_NAMESERVERS = 3;

export interface SaysNames {
  hostAliases?: readonly HostAlias[] | undefined;
  hostNetwork?: true | undefined;
  dnsPolicy?: DnsPolicy | undefined;
  dnsConfig?: DnsConfig | undefined;
}

/** As the kubelet writes resolv.conf: what dnsConfig adds comes after the cluster's own, and an option replaces its namesake. */
export function namesOf(spec: SaysNames, namespace: string): PodNames {
  const policy = policyOf(spec);
  const inCluster = policy === 'ClusterFirst';
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const merged = new Map<string, string | undefined>(inCluster ? [['ndots', '5']] : []);
  for (const { name, value } of options) merged.set(name, value);
  return {
    hosts: (spec.hostAliases ?? []).flatMap(({ ip, hostnames }) =>
      hostnames.map((name) => ({ name, ip })),
    ),
    asks: NAME_SERVERS[policy],
    nameservers,
    searches: [...new Set([...(inCluster ? clusterSearches(namespace) : []), ...searches])],
    options: [...merged].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)),
  };
}

type Policy = Exclude<DnsPolicy, 'ClusterFirstWithHostNet'>;
const NAME_SERVERS = { ClusterFirst: 'cluster', Default: 'host', None: 'none' } as const;

/** A pod on the host's network is as the host unless it says so, as in Kubernetes. */
function policyOf({ dnsPolicy = 'ClusterFirst', hostNetwork }: SaysNames): Policy {
  if (dnsPolicy === 'ClusterFirstWithHostNet') return 'ClusterFirst';
  return dnsPolicy === 'ClusterFirst' && hostNetwork === true ? 'Default' : dnsPolicy;
}

export function checkNames(
  spec: SaysNames,
  path: FieldPath,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  const { dnsConfig, hostNetwork } = spec;
  const policy = policyOf(spec);
  const nameservers = dnsConfig?.nameservers ?? [];
  if (policy === 'Default' && dnsConfig !== undefined)
    report(
      [...path, 'dnsConfig'],
      'with the name servers of the host there is nothing to add it to',
      hostNetwork === true ? 'say dnsPolicy: ClusterFirstWithHostNet, or None' : undefined,
    );
  if (policy === 'None' && nameservers.length === 0)
    report([...path, 'dnsPolicy'], 'None needs a nameserver', 'add dnsConfig.nameservers');
  if (policy === 'ClusterFirst' && nameservers.length === MOST_NAMESERVERS)
    report(
      [...path, 'dnsConfig', 'nameservers'],
      `with the cluster's own there are more than ${MOST_NAMESERVERS}`,
    );
}

function clusterSearches(namespace: string): string[] {
  return [`${namespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local'];
}
