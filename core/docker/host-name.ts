import type { HostName } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

/** A kernel keeps no longer one. */
const LONGEST = 64;
const LONGEST_LABEL = 63;

interface SaysHostName {
  hostname?: string | undefined;
  subdomain?: string | undefined;
  setHostnameAsFQDN?: boolean | undefined;
  hostnameOverride?: string | undefined;
  hostNetwork?: true | undefined;
}

/** As the kubelet names a pod to itself. */
export function hostNameOf(spec: SaysHostName, pod: string, namespace: string): HostName {
  const { hostname, subdomain, hostnameOverride } = spec;
  if (hostnameOverride !== undefined) return { own: hostnameOverride, ...publishedOf(spec) };
  const own = (hostname ?? pod).slice(0, LONGEST_LABEL);
  if (subdomain === undefined) return { own };
  const full = `${own}.${domainOf(subdomain, namespace)}`;
  return {
    own: spec.setHostnameAsFQDN === true ? full : own,
    full,
    ...publishedOf(spec),
  };
}

export function checkHostName(
  spec: SaysHostName,
  { pod, namespace }: { pod: string; namespace: string },
  path: FieldPath,
  report: (path: FieldPath, message: string) => void,
): void {
  if (spec.hostnameOverride !== undefined) {
    for (const field of ['setHostnameAsFQDN', 'hostNetwork'] as const)
      if (spec[field] === true)
        report([...path, 'hostnameOverride'], `cannot be beside ${field}: true`);
    return;
  }
  const { own } = hostNameOf(spec, pod, namespace);
  if (own.length > LONGEST)
    report(
      [...path, 'setHostnameAsFQDN'],
      `${own} is longer than the ${LONGEST} characters that a host's name may have`,
    );
}

/** What the headless Service of that name answers to. */
function publishedOf({ hostname, subdomain }: SaysHostName): Pick<HostName, 'published'> {
  return hostname === undefined || subdomain === undefined
    ? {}
    : { published: `${hostname}.${subdomain}` };
}

function domainOf(subdomain: string, namespace: string): string {
  return `${subdomain}.${namespace}.svc.cluster.local`;
}
