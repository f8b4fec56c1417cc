import type { RunningContainer, RunningMount } from './running-container.ts';

/** Words in names of variables whose values do not belong into a Deployment. */
const SECRET_NAME = /PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY/i;
const SAFE_SYSCTLS = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

type Fields = Record<string, unknown>;

export interface AdoptedPod {
  spec: Fields & { containers: [Fields] };
  /** Values by variable, for a Secret of the workload's name. */
  secret: Record<string, string>;
  /** Paths of the host, and what else outlives containers, that it writes to. */
  writes: string[];
  notes: string[];
}

/** The pod that does what the container does. */
export function adoptedPod(name: string, from: RunningContainer): AdoptedPod {
  const { volumes, volumeMounts, writes, notes: mountNotes } = volumesOf(from);
  const { plain, secret } = splitEnvironment(from.environment);
  const security = securityOf(from);
  const hosts = hostAliasesOf(from);
  const notes = [
    ...mountNotes,
    ...security.notes,
    ...hosts.notes,
    ...identityNotes(from),
    ...lossNotes(from),
    ...(Object.keys(secret).length === 0
      ? []
      : [
          `${Object.keys(secret).join(', ')} ${verb(secret)} in a Secret, in clear: keep this repository to yourselves.`,
        ]),
  ];
  const env = [
    ...Object.entries(plain).map(([key, value]) => ({ name: key, value: escaped(value) })),
    ...Object.keys(secret).map((key) => ({
      name: key,
      valueFrom: { secretKeyRef: { name, key } },
    })),
  ];
  const container = present({
    name,
    image: from.image,
    imagePullPolicy: from.isPublished ? undefined : 'IfNotPresent',
    command: from.entrypoint?.map(escaped),
    args: from.command?.map(escaped),
    workingDir: from.workingDir,
    env: env.length === 0 ? undefined : env,
    stdin: from.stdin || undefined,
    tty: from.tty || undefined,
    resources: limitsOf(from),
    volumeMounts: volumeMounts.length === 0 ? undefined : volumeMounts,
    readinessProbe: probeOf(from),
    lifecycle: from.stopSignal === undefined ? undefined : { stopSignal: from.stopSignal },
    securityContext: security.container,
  });
  const spec = present({
    os: from.stopSignal === undefined ? undefined : { name: 'linux' },
    hostname:
      from.hostname !== undefined && DNS_LABEL.test(from.hostname) ? from.hostname : undefined,
    hostNetwork: from.network === 'host' || undefined,
    dnsPolicy: from.network === 'host' ? 'ClusterFirstWithHostNet' : undefined,
    hostPID: from.hasHostPid || undefined,
    hostIPC: from.hasHostIpc || undefined,
    shareProcessNamespace: from.hasInit || undefined,
    hostAliases: hosts.aliases.length === 0 ? undefined : hosts.aliases,
    dnsConfig: dnsConfigOf(from),
    securityContext: security.pod,
    terminationGracePeriodSeconds: from.stopSeconds,
    volumes: volumes.length === 0 ? undefined : volumes,
  });
  return { spec: { ...spec, containers: [container] }, secret, writes, notes };
}

function volumesOf({ mounts, sharedMemoryBytes }: RunningContainer): {
  volumes: Fields[];
  volumeMounts: Fields[];
  writes: string[];
  notes: string[];
} {
  const all = [
    ...mounts,
    ...(sharedMemoryBytes === undefined ? [] : [sharedMemory(sharedMemoryBytes)]),
  ];
  const entries = all.map((mount, index) => ({ mount, name: `data-${index + 1}` }));
  return {
    volumes: entries.map(({ mount, name }) => ({ name, ...sourceOf(mount) })),
    volumeMounts: entries.map(({ mount, name }) => ({
      name,
      mountPath: mount.target,
      ...(mount.readOnly ? { readOnly: true } : {}),
    })),
    writes: mounts.flatMap(({ kind, readOnly, source, name }) =>
      kind === 'tmpfs' || readOnly || isSocket(source) ? [] : [name ?? source],
    ),
    notes: mounts.flatMap(({ kind, name = '', driver, source }) => {
      if (kind !== 'volume') return [];
      if (driver !== undefined && driver !== 'local')
        return [
          `The volume ${name} of the driver ${driver} is mounted from ${source}, which is there only as long as Docker has it mounted: write a claim for it instead.`,
        ];
      return [
        `The volume ${name} is used where it is (${source}): \`docker volume rm\` would remove it.`,
      ];
    }),
  };
}

function sourceOf({ kind, source, bytes }: RunningMount): Fields {
  if (kind !== 'tmpfs') return { hostPath: { path: source } };
  return {
    emptyDir: { medium: 'Memory', ...(bytes === undefined ? {} : { sizeLimit: String(bytes) }) },
  };
}

function sharedMemory(bytes: number): RunningMount {
  return { kind: 'tmpfs', source: '', target: '/dev/shm', readOnly: false, bytes };
}

function isSocket(path: string): boolean {
  return path.endsWith('.sock');
}

function splitEnvironment(environment: Readonly<Record<string, string>>): {
  plain: Record<string, string>;
  secret: Record<string, string>;
} {
  const entries = Object.entries(environment);
  return {
    plain: Object.fromEntries(entries.filter(([key]) => !SECRET_NAME.test(key))),
    secret: Object.fromEntries(entries.filter(([key]) => SECRET_NAME.test(key))),
  };
}

/** `$(NAME)` would be expanded, and `$$` is how it is not. */
function escaped(text: string): string {
  return /\$[($]/.test(text) ? text.replaceAll('$', '$$$$') : text;
}

function limitsOf({ memoryBytes, milliCpus }: RunningContainer): Fields | undefined {
  if (memoryBytes === undefined && milliCpus === undefined) return undefined;
  return {
    limits: present({
      cpu: milliCpus === undefined ? undefined : `${milliCpus}m`,
      memory: memoryBytes === undefined ? undefined : String(memoryBytes),
    }),
  };
}

/** Docker only tells of its health check; traffic waits for it here. Without one an open port is what can be asked. */
function probeOf({ healthCheck, ports, network }: RunningContainer): Fields | undefined {
  if (healthCheck !== undefined) {
    const { command, period, timeout, retries, startPeriod } = healthCheck;
    return present({
      exec: { command },
      initialDelaySeconds: startPeriod === 0 ? undefined : startPeriod,
      periodSeconds: period,
      timeoutSeconds: timeout,
      failureThreshold: retries,
    });
  }
  const published = ports.find(({ host, protocol }) => host !== undefined && protocol === 'TCP');
  if (published === undefined || network === 'host') return undefined;
  return { tcpSocket: { port: published.container }, periodSeconds: 2 };
}

function securityOf(from: RunningContainer): {
  container: Fields | undefined;
  pod: Fields | undefined;
  notes: string[];
} {
  const { user = '', addedCapabilities: add, droppedCapabilities: drop, securityOptions } = from;
  const [, userId, groupId] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  const isUnconfined = securityOptions.includes('seccomp=unconfined');
  const isNoNew = securityOptions.some((each) => /^no-new-privileges(:true|=true)?$/.test(each));
  const container = present({
    privileged: from.privileged || undefined,
    readOnlyRootFilesystem: from.readOnlyRoot || undefined,
    allowPrivilegeEscalation: isNoNew ? false : undefined,
    runAsUser: userId === undefined ? undefined : Number(userId),
    runAsGroup: groupId === undefined ? undefined : Number(groupId),
    capabilities:
      add.length + drop.length === 0
        ? undefined
        : present({
            add: add.length === 0 ? undefined : add,
            drop: drop.length === 0 ? undefined : drop,
          }),
    seccompProfile: isUnconfined && !from.privileged ? { type: 'Unconfined' } : undefined,
  });
  const sysctls = Object.entries(from.sysctls);
  const safe = sysctls.filter(([key]) => SAFE_SYSCTLS.has(key));
  const notes = [
    ...(user !== '' && userId === undefined
      ? [`It runs as the user ${user}; Kubernetes wants a number: set securityContext.runAsUser.`]
      : []),
    ...sysctls
      .filter(([key]) => !SAFE_SYSCTLS.has(key))
      .map(([key]) => `The sysctl ${key} is not set: Kubernetes does not call it safe.`),
    ...securityOptions
      .filter((each) => !/^(seccomp=unconfined|no-new-privileges|label=disable)/.test(each))
      .filter((each) => each !== 'seccomp=builtin')
      .map((each) => `--security-opt ${each} is not carried over.`),
  ];
  return {
    container: Object.keys(container).length === 0 ? undefined : container,
    pod:
      safe.length + from.groups.length === 0
        ? undefined
        : present({
            supplementalGroups: from.groups.length === 0 ? undefined : from.groups,
            sysctls:
              safe.length === 0 ? undefined : safe.map(([key, value]) => ({ name: key, value })),
          }),
    notes,
  };
}

function hostAliasesOf({ extraHosts }: RunningContainer): { aliases: Fields[]; notes: string[] } {
  const pairs = extraHosts.map((each) => {
    const [, host = '', ip = ''] = /^([^:=]+)[:=](.+)$/.exec(each) ?? [];
    return { host, ip };
  });
  const known = pairs.filter(({ ip }) => ip !== 'host-gateway');
  const byIp = Map.groupBy(known, ({ ip }) => ip);
  return {
    aliases: [...byIp].map(([ip, some]) => ({ ip, hostnames: some.map(({ host }) => host) })),
    notes: pairs
      .filter(({ ip }) => ip === 'host-gateway')
      .map(({ host }) => `The name ${host} for this host is not carried over: use its address.`),
  };
}

function dnsConfigOf({ dns }: RunningContainer): Fields | undefined {
  const { servers, searches, options } = dns;
  if (servers.length + searches.length + options.length === 0) return undefined;
  return present({
    nameservers: servers.length === 0 ? undefined : servers,
    searches: searches.length === 0 ? undefined : searches,
    options:
      options.length === 0
        ? undefined
        : options.map((option) => {
            const [key = '', value] = option.split(':');
            return present({ name: key, value });
          }),
  });
}

function identityNotes({ image, isPublished, hostname }: RunningContainer): string[] {
  const hasName = !/^(sha256:)?[0-9a-f]{12,64}$/.test(image);
  return [
    ...(hasName ? [] : [`Its image has no name (${image.slice(0, 19)}): tag it, and write that.`]),
    ...(isPublished || !hasName
      ? []
      : [`The image ${image} was not pulled from a registry: it is on this server alone.`]),
    ...(hostname === undefined || DNS_LABEL.test(hostname)
      ? []
      : [`The host name ${hostname} is no DNS label: the pod has its own name.`]),
  ];
}

function lossNotes({ others, labels, hasInit }: RunningContainer): string[] {
  const keys = Object.keys(labels);
  return [
    ...others.map((option) => `${option} is not carried over.`),
    ...(hasInit
      ? ['Instead of --init the processes of its pod share one that collects them.']
      : []),
    ...(keys.length === 0 ? [] : [`Its labels are not carried over: ${keys.join(', ')}.`]),
  ];
}

function verb(some: object): string {
  return Object.keys(some).length === 1 ? 'is' : 'are';
}

function present<T extends Fields>(fields: T): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
