import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type {
  RunningContainer,
  RunningMount,
  RunningPort,
  RunningQuery,
} from '#core/adopt/running-container.ts';
import { UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { ListedContainer } from './inspected.ts';
import { LABEL } from './marks.ts';

const PROJECT_LABEL = 'com.docker.compose.project';
const SERVICE_LABEL = 'com.docker.compose.service';
const NANO_PER_SECOND = 1e9;
const NANO_PER_MILLI_CPU = 1e6;
const CPU_PERIOD_US = 100_000;
const DOCKER_SHM_BYTES = 64 * 1_024 * 1_024;
/** What Docker says of an image that has no health check, or of a container that turned it off. */
const NO_CHECK = 'NONE';

interface HealthConfig {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  Retries?: number;
  StartPeriod?: number;
}

interface Config {
  Image: string;
  Hostname?: string;
  Entrypoint: string[] | null;
  Cmd: string[] | null;
  Env: string[] | null;
  WorkingDir?: string;
  User?: string;
  Tty?: boolean;
  OpenStdin?: boolean;
  Labels: Record<string, string> | null;
  Healthcheck?: HealthConfig;
  StopSignal?: string;
  StopTimeout?: number;
  ExposedPorts?: Record<string, object> | null;
}

interface HostConfig {
  NetworkMode: string;
  RestartPolicy: { Name: string };
  Memory: number;
  NanoCpus: number;
  CpuQuota: number;
  CpuPeriod: number;
  ShmSize: number;
  Privileged: boolean;
  ReadonlyRootfs: boolean;
  CapAdd: string[] | null;
  CapDrop: string[] | null;
  SecurityOpt: string[] | null;
  Sysctls?: Record<string, string> | null;
  Tmpfs?: Record<string, string> | null;
  Mounts?: { Type: string; Target: string; TmpfsOptions?: { SizeBytes?: number } }[] | null;
  GroupAdd: string[] | null;
  PidsLimit?: number | null;
  MemoryReservation: number;
  MemorySwap: number;
  CpuShares: number;
  UTSMode: string;
  CgroupParent: string;
  CgroupnsMode?: string;
  BlkioWeight: number;
  OomKillDisable?: boolean | null;
  PidMode: string;
  IpcMode: string;
  Init?: boolean | null;
  ExtraHosts: string[] | null;
  Dns: string[] | null;
  DnsSearch: string[] | null;
  DnsOptions: string[] | null;
  PortBindings: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
  Devices: { PathOnHost: string }[] | null;
  DeviceRequests?: { Driver: string; Capabilities?: string[][] | null }[] | null;
  Ulimits: { Name: string; Soft: number; Hard: number }[] | null;
  Links: string[] | null;
  LogConfig: { Type: string };
  CpusetCpus: string;
  Runtime?: string;
  OomScoreAdj: number;
  UsernsMode: string;
}

interface Inspected {
  Id: string;
  Name: string;
  Image: string;
  State: { Status: string };
  Config: Config;
  HostConfig: HostConfig;
  Mounts: {
    Type: string;
    Name?: string;
    Source?: string;
    Destination: string;
    Driver?: string;
    RW: boolean;
  }[];
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
  };
}

interface Image {
  RepoDigests: string[] | null;
  Config: Partial<Config> | null;
}

/**
 * Containers that somebody else made.
 *
 * @throws UserError `not-found` for a name or a project that is not there, `conflict` for one that Windlass made
 */
export async function readRunning(
  context: DockerContext,
  { containers, composeProject }: RunningQuery,
  signal: AbortSignal,
): Promise<RunningContainer[]> {
  const ofProject =
    composeProject === undefined ? [] : await listProject(context, composeProject, signal);
  const found = await Promise.all(
    [...containers, ...ofProject].map((reference) => inspect(context, reference, signal)),
  );
  const unlike = [...new Map(found.map((each) => [each.Id, each])).values()];
  for (const each of unlike) {
    if (each.Config.Labels?.[LABEL.installation] !== undefined)
      throw new UserError('conflict', `${nameOf(each)} was made by Windlass`, {
        hint: `\`windlass why ${nameOf(each)}\` tells what for`,
      });
  }
  return Promise.all(
    unlike.map(async (each) => factsOf(each, await inspectImage(context, each, signal))),
  );
}

async function listProject(
  { docker }: DockerContext,
  project: string,
  signal: AbortSignal,
): Promise<string[]> {
  const listed = await callDocker<ListedContainer[]>(docker, {
    method: 'GET',
    path: '/containers/json',
    query: { filters: JSON.stringify({ label: [`${PROJECT_LABEL}=${project}`] }) },
    signal,
  });
  if (listed.length > 0)
    return listed.toSorted((one, other) => one.Created - other.Created).map(({ Id }) => Id);
  throw new UserError('not-found', `nothing of a Compose project ${project} runs here`, {
    hint: '`docker compose ls` tells the projects of a host',
  });
}

async function inspect(
  { docker }: DockerContext,
  reference: string,
  signal: AbortSignal,
): Promise<Inspected> {
  const path = `/containers/${encodeURIComponent(reference)}/json`;
  try {
    return await callDocker<Inspected>(docker, { method: 'GET', path, signal });
  } catch (error) {
    if (!isStatus(error, 404) && !isStatus(error, 400)) throw error;
    throw new UserError('not-found', `there is no container ${reference}`, {
      hint: '`docker ps` on the server lists them',
    });
  }
}

function inspectImage(
  { docker }: DockerContext,
  { Image: id }: Inspected,
  signal: AbortSignal,
): Promise<Image> {
  return callDocker<Image>(docker, { method: 'GET', path: `/images/${id}/json`, signal });
}

function factsOf(container: Inspected, image: Image): RunningContainer {
  const { Id: id, Config: config, HostConfig: host } = container;
  const from = image.Config ?? {};
  const labels = config.Labels ?? {};
  const [project, service] = [labels[PROJECT_LABEL], labels[SERVICE_LABEL]];
  const hasOwnEntrypoint = !isSame(config.Entrypoint, from.Entrypoint);
  const milliCpus = cpusOf(host);
  const check = healthCheckOf(config.Healthcheck, from.Healthcheck);
  return {
    id,
    name: nameOf(container),
    ...(project === undefined || service === undefined ? {} : { compose: { project, service } }),
    state: container.State.Status,
    image: config.Image,
    isPublished: (image.RepoDigests ?? []).length > 0,
    ...(hasOwnEntrypoint ? { entrypoint: config.Entrypoint ?? [] } : {}),
    ...(hasOwnEntrypoint || !isSame(config.Cmd, from.Cmd) ? wordsOf('command', config.Cmd) : {}),
    environment: environmentOf(config.Env ?? [], from.Env ?? []),
    ...differing('workingDir', config.WorkingDir, from.WorkingDir),
    ...differing('user', config.User, from.User),
    ...differing('hostname', config.Hostname, id.slice(0, 12)),
    tty: config.Tty === true,
    stdin: config.OpenStdin === true,
    ports: portsOf(container),
    mounts: [...mountsOf(container), ...tmpfsOf(host)],
    restart: host.RestartPolicy.Name,
    ...(host.Memory > 0 ? { memoryBytes: host.Memory } : {}),
    ...(milliCpus === undefined ? {} : { milliCpus }),
    ...(host.ShmSize === DOCKER_SHM_BYTES || host.ShmSize === 0
      ? {}
      : { sharedMemoryBytes: host.ShmSize }),
    privileged: host.Privileged,
    readOnlyRoot: host.ReadonlyRootfs,
    addedCapabilities: (host.CapAdd ?? []).map(capability),
    droppedCapabilities: (host.CapDrop ?? []).map(capability),
    securityOptions: host.Privileged ? [] : (host.SecurityOpt ?? []),
    groups: (host.GroupAdd ?? []).filter(isNumber).map(Number),
    sysctls: host.Sysctls ?? {},
    network: host.NetworkMode,
    hasHostPid: host.PidMode === 'host',
    hasHostIpc: host.IpcMode === 'host',
    hasInit: host.Init === true,
    extraHosts: host.ExtraHosts ?? [],
    dns: {
      servers: host.Dns ?? [],
      searches: host.DnsSearch ?? [],
      options: host.DnsOptions ?? [],
    },
    ...(check === undefined ? {} : { healthCheck: check }),
    ...differing('stopSignal', config.StopSignal, from.StopSignal),
    ...(config.StopTimeout === undefined ? {} : { stopSeconds: config.StopTimeout }),
    labels: ownLabels(labels, from.Labels ?? {}),
    others: [...otherMounts(container), ...othersOf(host)],
  };
}

function nameOf({ Name }: Inspected): string {
  return Name.replace(/^\//, '');
}

function isSame(one: string[] | null | undefined, other: string[] | null | undefined): boolean {
  return JSON.stringify(one ?? []) === JSON.stringify(other ?? []);
}

function wordsOf(name: 'command', words: string[] | null): { command?: string[] } {
  return words === null || words.length === 0 ? {} : { [name]: words };
}

function differing<Field extends string>(
  field: Field,
  value: string | undefined,
  ofImage: string | undefined,
): { [each in Field]?: string } {
  if (value === undefined || value === '' || value === ofImage) return {};
  return { [field]: value } as { [each in Field]: string };
}

function environmentOf(own: readonly string[], ofImage: readonly string[]): Record<string, string> {
  const known = new Set(ofImage);
  return Object.fromEntries(
    own
      .filter((each) => !known.has(each))
      .map((each) => {
        const at = each.indexOf('=');
        return at === -1 ? [each, ''] : [each.slice(0, at), each.slice(at + 1)];
      }),
  );
}

/** What is published as it is by now: a port that was left to Docker has its number. */
function portsOf({ Config, HostConfig, NetworkSettings }: Inspected): RunningPort[] {
  const published = { ...HostConfig.PortBindings, ...NetworkSettings.Ports };
  const all = [...new Set([...Object.keys(Config.ExposedPorts ?? {}), ...Object.keys(published)])];
  return all.flatMap((key) => {
    const [port = '', protocol = 'tcp'] = key.split('/');
    const which = {
      container: Number(port),
      protocol: protocol.toUpperCase() as RunningPort['protocol'],
    };
    const bindings = (published[key] ?? []).filter(({ HostPort }) => HostPort !== '');
    if (bindings.length === 0) return [which];
    return bindings.map(({ HostIp, HostPort }) => ({
      ...which,
      host: Number(HostPort),
      ...(HostIp === '' || HostIp === '0.0.0.0' || HostIp === '::' ? {} : { ip: HostIp }),
    }));
  });
}

function mountsOf({ Mounts }: Inspected): RunningMount[] {
  return Mounts.filter(({ Type }) => Type === 'bind' || Type === 'volume').map(
    ({ Type, Name, Source = '', Destination, Driver, RW }) => ({
      kind: Type === 'volume' ? 'volume' : 'bind',
      source: Source,
      target: Destination,
      readOnly: !RW,
      ...(Name === undefined ? {} : { name: Name }),
      ...(Driver === undefined || Driver === '' ? {} : { driver: Driver }),
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_024 ** 2, g: 1_024 ** 3 };

/** Of `--tmpfs`, and of `--mount type=tmpfs`. */
function tmpfsOf({ Tmpfs, Mounts }: HostConfig): RunningMount[] {
  const mounted = (Mounts ?? [])
    .filter(({ Type }) => Type === 'tmpfs')
    .map(({ Target, TmpfsOptions }): RunningMount => {
      const { SizeBytes: bytes = 0 } = TmpfsOptions ?? {};
      const size = bytes === 0 ? {} : { bytes };
      return { kind: 'tmpfs', source: '', target: Target, readOnly: false, ...size };
    });
  return [...mounted, ...tmpfsByOption(Tmpfs ?? {})];
}

function tmpfsByOption(tmpfs: Readonly<Record<string, string>>): RunningMount[] {
  return Object.entries(tmpfs).map(([target, options]) => {
    const [, number, unit = ''] = /(?:^|,)size=(\d+)([kmg]?)/i.exec(options) ?? [];
    const bytes = Number(number) * (UNITS[unit.toLowerCase()] ?? 1);
    const size = number === undefined ? {} : { bytes };
    return { kind: 'tmpfs', source: '', target, readOnly: false, ...size };
  });
}

function cpusOf({ NanoCpus, CpuQuota, CpuPeriod }: HostConfig): number | undefined {
  if (NanoCpus > 0) return Math.max(1, Math.round(NanoCpus / NANO_PER_MILLI_CPU));
  if (CpuQuota <= 0) return undefined;
  const period = CpuPeriod === 0 ? CPU_PERIOD_US : CpuPeriod;
  return Math.max(1, Math.round((CpuQuota / period) * 1_000));
}

function capability(name: string): string {
  return name.replace(/^CAP_/, '');
}

/** A check of the image counts too: Kubernetes does not read it. */
function healthCheckOf(
  own: HealthConfig | undefined,
  ofImage: HealthConfig | undefined,
): RunningContainer['healthCheck'] {
  const { Test: [kind = '', ...rest] = [], ...times } = own ?? ofImage ?? {};
  if (kind === '' || kind === NO_CHECK || rest.length === 0) return undefined;
  return {
    command: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...rest] : rest,
    period: seconds(times.Interval, 30),
    timeout: seconds(times.Timeout, 30),
    retries: times.Retries === undefined || times.Retries === 0 ? 3 : times.Retries,
    startPeriod:
      times.StartPeriod === undefined ? 0 : Math.round(times.StartPeriod / NANO_PER_SECOND),
  };
}

/** Docker's own value where it is 0 or absent. */
function seconds(nanoseconds: number | undefined, otherwise: number): number {
  if (nanoseconds === undefined || nanoseconds === 0) return otherwise;
  return Math.max(1, Math.round(nanoseconds / NANO_PER_SECOND));
}

function ownLabels(
  labels: Readonly<Record<string, string>>,
  ofImage: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(
      ([key, value]) => ofImage[key] !== value && !key.startsWith('com.docker.'),
    ),
  );
}

const MOUNTS_TAKEN = new Set(['bind', 'volume', 'tmpfs']);

function otherMounts({ Mounts }: Inspected): string[] {
  return Mounts.filter(({ Type }) => !MOUNTS_TAKEN.has(Type)).map(
    ({ Type, Destination }) => `--mount type=${Type},target=${Destination}`,
  );
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

const LOGS_READ = new Set(['json-file', 'local', 'journald', '']);

function othersOf(host: HostConfig): string[] {
  return [
    ...(host.Devices ?? []).map(({ PathOnHost }) => `--device ${PathOnHost}`),
    ...(host.DeviceRequests ?? []).map(() => '--gpus'),
    ...(host.Ulimits ?? []).map(({ Name, Soft, Hard }) => `--ulimit ${Name}=${Soft}:${Hard}`),
    ...(host.Links ?? []).map((link) => `--link ${link}`),
    ...(LOGS_READ.has(host.LogConfig.Type) ? [] : [`--log-driver ${host.LogConfig.Type}`]),
    ...(host.CpusetCpus === '' ? [] : [`--cpuset-cpus ${host.CpusetCpus}`]),
    ...(host.Runtime === undefined || host.Runtime === '' || host.Runtime === 'runc'
      ? []
      : [`--runtime ${host.Runtime}`]),
    ...(host.OomScoreAdj === 0 ? [] : [`--oom-score-adj ${host.OomScoreAdj}`]),
    ...(host.UsernsMode === '' ? [] : [`--userns ${host.UsernsMode}`]),
    ...(host.GroupAdd ?? [])
      .filter((group) => !isNumber(group))
      .map((group) => `--group-add ${group}`),
    ...((host.PidsLimit ?? 0) > 0 ? [`--pids-limit ${host.PidsLimit}`] : []),
    ...(host.MemoryReservation > 0 ? [`--memory-reservation ${host.MemoryReservation}`] : []),
    ...(host.MemorySwap > 0 && host.MemorySwap !== 2 * host.Memory
      ? [`--memory-swap ${host.MemorySwap}`]
      : []),
    ...(host.CpuShares > 0 ? [`--cpu-shares ${host.CpuShares}`] : []),
    ...(host.UTSMode === '' ? [] : [`--uts ${host.UTSMode}`]),
    ...(host.CgroupParent === '' ? [] : [`--cgroup-parent ${host.CgroupParent}`]),
    ...(host.CgroupnsMode === 'host' ? ['--cgroupns host'] : []),
    ...(host.BlkioWeight > 0 ? [`--blkio-weight ${host.BlkioWeight}`] : []),
    ...(host.OomKillDisable === true ? ['--oom-kill-disable'] : []),
  ];
}
