import { CONTAINER_LOG } from '#core/docker/container-log.ts';
import type { HostPort } from '#core/docker/host-ports.ts';
import type {
  ContainerSecurity,
  ContainerSpec,
  PodNames,
  PodSpec,
  VolumeSpec,
} from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import type { Made } from './drift.ts';
import { LABEL, marks } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import { mountsOf } from './mounts.ts';
import { partName, sandboxName, volumeName } from './names.ts';

/** Where the sandbox holds its volumes that are filled by us, and those that are the containers' own. */
export const FILES_FOLDER = '/windlass/volumes';
export const EMPTY_FOLDER = '/windlass/empty';
const CLAIMS_FOLDER = '/windlass/claims';
const FILES_LIMIT = '64m';

export const LOG_CONFIG = { Type: CONTAINER_LOG.driver, Config: CONTAINER_LOG.options };
/** Also after Docker itself was restarted, and whoever stopped it before. */
export const RESTART_POLICY = 'always';
export const RESTART_FAILED = 'on-failure';
export const RESTART_NEVER = 'no';
/** Not after Docker itself was restarted, where it was stopped before. */
const RESTART_UNLESS_STOPPED = 'unless-stopped';

/** Sleeps until told to end, and reaps what is orphaned to it, as process 1 must. */
export const SLEEP = 'trap "exit 0" TERM INT; while :; do sleep 86400 & wait $!; done';

/** In place: the file is a mount that the pod's containers share. */
const FULL_NAME_FIRST = `if [ -n "$FULL_NAME" ]; then
  hosts=$(sed "s/^\\([0-9.]*\\)[[:space:]]*$(hostname)$/\\1\t$FULL_NAME\t$(hostname)/" /etc/hosts) && echo "$hosts" > /etc/hosts
fi`;

/** emptyDir belongs to whoever the containers run as. Its arguments are lines for the host's /etc/hosts, which it got a copy of. */
function sandboxScript({ fsGroup }: PodSpec): string {
  const owned = fsGroup === undefined ? 'chmod 0777' : `chgrp ${fsGroup} "$@" && chmod 2777`;
  return `own() { ${owned} "$@"; }; own ${EMPTY_FOLDER}/* 2>/dev/null; for line; do echo "$line" >> /etc/hosts; done
${FULL_NAME_FIRST}
${SLEEP}`;
}

export function podMarks(context: DockerContext, pod: PodSpec): Record<string, string> {
  return {
    [LABEL.installation]: context.installation,
    [LABEL.cluster]: context.cluster,
    [LABEL.namespace]: pod.namespace,
    [LABEL.pod]: pod.name,
    [LABEL.owner]: pod.owner,
    [LABEL.resource]: pod.keeper,
    [LABEL.templateHash]: pod.templateHash,
    [LABEL.podLabels]: JSON.stringify(pod.labels),
    [LABEL.graceSeconds]: String(pod.graceSeconds),
    [LABEL.ports]: JSON.stringify(pod.ports),
    [LABEL.hostPorts]: JSON.stringify(pod.hostPorts),
    [LABEL.published]: pod.hostName.published ?? '',
    [LABEL.fileVolumes]: fileVolumes(pod)
      .map(({ name }) => name)
      .join(','),
  };
}

export function sandboxBody(context: DockerContext, network: ClusterNetwork, pod: PodSpec): object {
  const { hostNetwork, hostIpc } = pod.sharing;
  const networkMode = hostNetwork ? 'host' : network.name;
  const made = madeOf(sandboxName(context, pod.namespace, pod.name), { network: networkMode });
  return {
    Image: context.images.sandbox,
    Entrypoint: ['sh', '-c', sandboxScript(pod)],
    Cmd: hostNetwork ? ['sh', ...hostLines(pod.names)] : [],
    User: '0',
    // On the host's network it has the name of the host.
    ...(hostNetwork ? {} : { Hostname: pod.hostName.own }),
    Env: hostNetwork ? [] : [`FULL_NAME=${pod.hostName.full ?? ''}`],
    Labels: {
      ...podMarks(context, pod),
      [LABEL.role]: 'sandbox',
      ...sizeLimits(pod),
      [LABEL.made]: JSON.stringify(made),
    },
    Healthcheck: { Test: ['NONE'] },
    ExposedPorts: Object.fromEntries(published(pod).map((port) => [dockerPort(port), {}])),
    HostConfig: {
      NetworkMode: networkMode,
      PortBindings: portBindings(pod),
      IpcMode: hostIpc ? 'host' : 'shareable',
      Sysctls: pod.sysctls,
      ...nameServing(network, pod),
      RestartPolicy: { Name: RESTART_POLICY },
      LogConfig: LOG_CONFIG,
      Mounts: dockerVolumes(pod).map((volume) => ({
        Type: 'volume',
        Source: volumeName(context, pod, volume.name),
        Target: volumeFolder(volume),
        VolumeOptions: { NoCopy: true },
      })),
    },
  };
}

/** What only the host of Docker could tell. */
export interface FromHost {
  volumeRoots: ReadonlyMap<string, string>;
  /** In the words of Docker. */
  securityOptions: readonly string[];
  /** The file in which the container says why it ends. */
  lastWords: string;
}

export function containerBody(
  context: DockerContext,
  pod: PodSpec,
  container: ContainerSpec,
  sandboxId: string,
  { volumeRoots, securityOptions, lastWords }: FromHost,
): object {
  const restart = restartPolicyOf(pod, container);
  const made = madeOf(partName(context, pod, container.name), {
    restart,
    memory: container.memoryBytes ?? 0,
    memoryReservation: container.memoryReservationBytes ?? 0,
    nanoCpus: container.nanoCpus ?? 0,
    cpuShares: container.cpuShares ?? 0,
  });
  return {
    Image: container.image,
    ...(container.command === undefined ? {} : { Entrypoint: container.command }),
    ...(container.args === undefined ? {} : { Cmd: container.args }),
    ...(container.workingDir === undefined ? {} : { WorkingDir: container.workingDir }),
    Env: Object.entries(container.env).map(([name, value]) => `${name}=${value}`),
    Labels: {
      ...podMarks(context, pod),
      [LABEL.role]: 'container',
      [LABEL.container]: container.name,
      ...(container.init === undefined ? {} : { [LABEL.init]: JSON.stringify(container.init) }),
      [LABEL.made]: JSON.stringify(made),
      [LABEL.probes]: JSON.stringify(container.probes),
      ...(Object.keys(container.hooks).length === 0
        ? {}
        : { [LABEL.hooks]: JSON.stringify(container.hooks) }),
      ...(container.lastWords.orLogs ? { [LABEL.orLogs]: 'true' } : {}),
    },
    // An image's own health check has no meaning in a pod, and would fill Docker's events.
    Healthcheck: { Test: ['NONE'] },
    StopTimeout: pod.graceSeconds,
    OpenStdin: container.input?.open ?? false,
    StdinOnce: container.input?.once ?? false,
    Tty: container.input?.terminal ?? false,
    ...(container.stopSignal === undefined ? {} : { StopSignal: container.stopSignal }),
    ...(container.security.user === undefined ? {} : { User: container.security.user }),
    HostConfig: {
      NetworkMode: `container:${sandboxId}`,
      IpcMode: pod.sharing.hostIpc ? 'host' : `container:${sandboxId}`,
      PidMode: pidMode(pod, sandboxId),
      RestartPolicy: { Name: restart },
      LogConfig: LOG_CONFIG,
      Memory: made.memory,
      // No swap, as in a pod.
      MemorySwap: made.memory,
      MemoryReservation: made.memoryReservation,
      NanoCpus: made.nanoCpus,
      CpuShares: made.cpuShares,
      ...privileges(container.security, securityOptions),
      ...mountsOf(context, pod, container, { volumeRoots, lastWords }),
    },
  };
}

function restartPolicyOf({ restartPolicy }: PodSpec, { init }: ContainerSpec): string {
  if (restartPolicy === 'Always') return init?.sidecar === false ? RESTART_FAILED : RESTART_POLICY;
  if (init?.sidecar === true) return RESTART_UNLESS_STOPPED;
  return restartPolicy === 'Never' ? RESTART_NEVER : RESTART_FAILED;
}

/** On the host's network there is nothing to be led there. */
function published({ hostPorts, sharing }: PodSpec): HostPort[] {
  return sharing.hostNetwork ? [] : hostPorts;
}

function portBindings(pod: PodSpec): Record<string, object[]> {
  const byPort = Object.groupBy(published(pod), dockerPort);
  return Object.fromEntries(
    Object.entries(byPort).map(([name, ports = []]) => [
      name,
      ports.map(({ ip, port }) => ({ HostIp: ip, HostPort: String(port) })),
    ]),
  );
}

function dockerPort({ containerPort, protocol }: HostPort): string {
  return `${containerPort}/${protocol.toLowerCase()}`;
}

function pidMode({ sharing }: PodSpec, sandboxId: string): string {
  if (sharing.processes === 'container') return '';
  return sharing.processes === 'host' ? 'host' : `container:${sandboxId}`;
}

/** Containers that join a sandbox's network share its hosts and resolv.conf. */
function nameServing(network: ClusterNetwork, { names, sharing }: PodSpec): object {
  // With none at all Docker takes the host's; a dot stands for none.
  const noSearches = names.asks === 'host' ? [] : ['.'];
  return {
    // With any of these Docker would leave out what the host has.
    ExtraHosts: sharing.hostNetwork ? [] : names.hosts.map(({ name, ip }) => `${name}:${ip}`),
    Dns: [...(names.asks === 'cluster' ? [network.systemIp] : []), ...names.nameservers],
    DnsSearch: names.searches.length === 0 ? noSearches : names.searches,
    DnsOptions: names.options,
  };
}

function hostLines({ hosts }: PodNames): string[] {
  return hosts.map(({ name, ip }) => `${ip} ${name}`);
}

function privileges(security: ContainerSecurity, options: readonly string[]): object {
  return {
    Privileged: security.privileged,
    GroupAdd: security.groups.map(String),
    CapAdd: security.addCapabilities,
    CapDrop: security.dropCapabilities,
    ReadonlyRootfs: security.readOnlyRoot,
    SecurityOpt: [...(security.noNewPrivileges ? ['no-new-privileges'] : []), ...options],
  };
}

const FOLDERS = { files: FILES_FOLDER, emptyDir: EMPTY_FOLDER, claim: CLAIMS_FOLDER };

/** Where the sandbox has it. */
export function volumeFolder({ name, kind }: DockerVolume): string {
  return `${FOLDERS[kind]}/${name}`;
}

export function volumeBody(context: DockerContext, pod: PodSpec, volume: OwnVolume): object {
  return {
    Name: partName(context, pod, volume.name),
    Driver: 'local',
    ...(volume.kind === 'files' || volume.memory
      ? { DriverOpts: memoryOptions(volume, pod.fsGroup) }
      : {}),
    Labels: volumeMarks(context, pod, volume.name),
  };
}

export function volumeMarks(
  context: DockerContext,
  pod: { namespace: string; name: string },
  volume: string,
): Record<string, string> {
  return {
    ...marks(context, 'volume'),
    [LABEL.namespace]: pod.namespace,
    [LABEL.pod]: pod.name,
    [LABEL.volume]: volume,
  };
}

/** A volume that is made for the pod, and goes with it. */
type OwnVolume = Exclude<VolumeSpec, { kind: 'hostPath' | 'claim' }>;
type DockerVolume = Exclude<VolumeSpec, { kind: 'hostPath' }>;

export function ownVolumes(pod: PodSpec): OwnVolume[] {
  return pod.volumes.filter((volume) => volume.kind !== 'hostPath' && volume.kind !== 'claim');
}

function dockerVolumes(pod: PodSpec): DockerVolume[] {
  return pod.volumes.filter((volume) => volume.kind !== 'hostPath');
}

export function fileVolumes(pod: PodSpec): Extract<VolumeSpec, { kind: 'files' }>[] {
  return pod.volumes.filter((volume) => volume.kind === 'files');
}

export function madeOf(name: string, made: Partial<Omit<Made, 'name'>>): Made {
  return {
    name,
    restart: RESTART_POLICY,
    memory: 0,
    memoryReservation: 0,
    nanoCpus: 0,
    cpuShares: 0,
    ...made,
  };
}

function memoryOptions(volume: OwnVolume, fsGroup: number | undefined): Record<string, string> {
  return { type: 'tmpfs', device: 'tmpfs', o: mountOptions(volume, fsGroup) };
}

function mountOptions(volume: OwnVolume, fsGroup: number | undefined): string {
  const owned = fsGroup === undefined ? 'mode=0755' : `mode=2755,gid=${fsGroup}`;
  if (volume.kind === 'files') return `${owned},size=${FILES_LIMIT}`;
  return volume.sizeLimit === undefined ? 'mode=0777' : `mode=0777,size=${volume.sizeLimit}`;
}

/** Of volumes on disk, which nothing but a look at them limits. */
function sizeLimits(pod: PodSpec): Record<string, string> {
  const limits = ownVolumes(pod).flatMap((volume) =>
    volume.kind === 'files' || volume.memory || volume.sizeLimit === undefined
      ? []
      : [[volume.name, volume.sizeLimit] as const],
  );
  if (limits.length === 0) return {};
  return { [LABEL.sizeLimits]: JSON.stringify(Object.fromEntries(limits)) };
}
