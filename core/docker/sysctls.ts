import type { FieldPath } from '#core/field-path.ts';

/** Those that concern the pod alone, which Kubernetes lets every pod set. */
const SAFE = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

interface Says {
  hostNetwork?: boolean | undefined;
  hostIPC?: boolean | undefined;
  securityContext?: { sysctls?: readonly { name: string }[] | undefined } | undefined;
}

/** Settings of a namespace that is the host's are the host's. */
export function checkSysctls(
  { hostNetwork, hostIPC, securityContext }: Says,
  path: FieldPath,
  report: (path: FieldPath, message: string) => void,
): void {
  securityContext?.sysctls?.forEach(({ name }, index) => {
    const isNet = sysctlName(name).startsWith('net.');
    if (isNet ? hostNetwork !== true : hostIPC !== true) return;
    const at = [...path, 'securityContext', 'sysctls', index, 'name'];
    report(at, `forbidden sysctl: not with ${isNet ? 'hostNetwork' : 'hostIPC'}`);
  });
}

/** Its one name: slashes can stand for dots where the first separator is one. */
export function sysctlName(name: string): string {
  if (/^[^.]*\//.test(name))
    return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
  return name;
}

export function isSafeSysctl(name: string): boolean {
  return SAFE.has(sysctlName(name));
}
