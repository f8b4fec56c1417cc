import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { SOCKETS_FOLDER } from '#core/docker/edge-sockets.ts';
import type { HostPort } from '#core/docker/node-ports.ts';
import type { UdpRole } from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import {
  createContainer,
  labelsOf,
  removeContainer,
  renameContainer,
  undoDrift,
  unpauseContainer,
} from './containers.ts';
import type { DockerContext } from './context.ts';
import { findDrift, parseMade } from './drift.ts';
import { isStartedSince } from './inspected.ts';
import type { InspectedContainer, ListedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { filterOurs, LABEL, marks } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import { systemName } from './names.ts';
import { LOG_CONFIG, madeOf, RESTART_POLICY, SLEEP } from './pod-config.ts';
import {
  ensureSystemVolume,
  isSystemMount,
  socketsMount,
  systemFolder,
  systemMount,
} from './system-files.ts';

export const SYSTEM_ROLES = [
  'proxy-sandbox',
  'proxy',
  'name-server',
  'edge',
  'edge-front',
  'udp-proxy',
  'udp-edge',
  'name-records',
] as const;
export type SystemRole = (typeof SYSTEM_ROLES)[number];
export type HaproxyRole = 'proxy' | 'edge' | 'edge-front';

/** Of the host's ports; the others share the network of the sandbox. */
export type EdgeRole = 'edge' | 'edge-front' | 'udp-edge';

function isHaproxy(role: SystemRole): role is HaproxyRole {
  return role === 'proxy' || role === 'edge' || role === 'edge-front';
}

export function isApart(role: SystemRole): role is EdgeRole {
  return role === 'edge' || role === 'edge-front' || role === 'udp-edge';
}

export interface SystemSpec {
  role: SystemRole;
  image: string;
  command: readonly string[];
  environment?: readonly string[];
  /** A network's name, `host`, or `container:<id>`. */
  networkMode: string;
  /** Its address where it is on a network of its own. */
  address?: string;
  /** Whether it has the volume of sockets between what has the host's ports and the edge. */
  sockets?: true;
  /** Ports of the host that Docker leads to it. */
  published?: readonly HostPort[];
}

/** Throws StepWaits while the image is on its way, and for the operator where it cannot be had. */
export type BringImage = (image: string, signal: AbortSignal) => Promise<void>;

/**
 * HAProxy gives buffers of our size back to the C library, which would give them back to the kernel and take them again, a
 * page fault for each of their pages. So many bytes stay with it.
 */
const KEEPS_BUFFERS = ['MALLOC_TRIM_THRESHOLD_=8388608', 'MALLOC_TOP_PAD_=1048576'];
/** As much of a busy processor as eight pods that ask for one each: all pods are reached through these. */
const SYSTEM_CPU_SHARES = 8 * 1_024;
const NO_SUCH_IMAGE = /no such image/i;

export function proxySandbox(context: DockerContext, network: ClusterNetwork): SystemSpec {
  return {
    role: 'proxy-sandbox',
    image: context.images.sandbox,
    command: ['sh', '-c', SLEEP],
    networkMode: network.name,
    ...(network.shared === true ? {} : { address: network.systemIp }),
  };
}

export function haproxyIn(
  context: DockerContext,
  role: HaproxyRole,
  networkMode: string,
): SystemSpec {
  const command = ['haproxy', '-W', '-db', '-f', `${systemFolder(role)}/haproxy.cfg`];
  const { proxy: image } = context.images;
  return { role, image, command, networkMode, environment: KEEPS_BUFFERS };
}

/** On the host's network, or where the host has no part in the pods' on that, behind one that is on the host's. */
export function edgeIn(context: DockerContext, network: ClusterNetwork): SystemSpec {
  if (network.shared !== true) return haproxyIn(context, 'edge', 'host');
  return { ...haproxyIn(context, 'edge', network.name), sockets: true };
}

export function frontIn(context: DockerContext): SystemSpec {
  return { ...haproxyIn(context, 'edge-front', 'host'), sockets: true };
}

export function recordServerIn(context: DockerContext, sandboxId: string): SystemSpec {
  const role = 'name-records';
  const command = ['unbound', '-d', '-c', `${systemFolder(role)}/unbound.conf`];
  return {
    role,
    image: context.images.recordServer,
    command,
    networkMode: `container:${sandboxId}`,
  };
}

export function nginxIn(context: DockerContext, role: UdpRole, networkMode: string): SystemSpec {
  const command = ['nginx', '-e', 'stderr', '-c', `${systemFolder(role)}/nginx.conf`];
  return { role, image: context.images.udpProxy, command, networkMode };
}

/** UDP has no sockets to hand over: where the host has no part in the network, Docker leads its ports there. */
export function udpEdgeIn(
  context: DockerContext,
  network: ClusterNetwork,
  published: readonly HostPort[],
): SystemSpec {
  if (network.shared !== true) return nginxIn(context, 'udp-edge', 'host');
  return { ...nginxIn(context, 'udp-edge', network.name), published };
}

export function nameServerIn(
  context: DockerContext,
  network: ClusterNetwork,
  sandboxId: string,
): SystemSpec {
  return {
    role: 'name-server',
    image: context.images.nameServer,
    command: [
      'dnsmasq',
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--server=127.0.0.11',
      '--local=/cluster.local/',
      `--addn-hosts=${systemFolder('name-server')}/hosts`,
      `--servers-file=${systemFolder('name-server')}/servers`,
      `--listen-address=${network.systemIp}`,
      '--bind-interfaces',
      '--user=root',
      '--pid-file=',
      '--cache-size=1000',
      '--log-facility=-',
    ],
    networkMode: `container:${sandboxId}`,
  };
}

/** The container as it should have been made, running or not: created, put right or made anew. */
export async function ensureSystemContainer(
  context: DockerContext,
  spec: SystemSpec,
  bring: BringImage,
  signal: AbortSignal,
): Promise<InspectedContainer> {
  const name = systemName(context, spec.role);
  const kept = await keepFound(context, spec, name, signal);
  if (!kept) await create(context, { ...spec, name, bring }, signal);
  const container = await inspectContainer(context, name, signal);
  if (container === undefined) throw new Error(`${name} went away while it was made`);
  if (container.State.Status !== 'paused') return container;
  await unpauseContainer(context, container.Id, signal);
  return { ...container, State: { ...container.State, Status: 'running' } };
}

/** Whether it was made as the spec says, as far as that cannot be put right. */
export function isOfSpec(
  context: DockerContext,
  spec: SystemSpec,
  found: InspectedContainer,
): boolean {
  return (
    found.HostConfig.NetworkMode === spec.networkMode &&
    [found.Path, ...found.Args].join(' ') === spec.command.join(' ') &&
    found.Mounts.some((mount) => isSystemMount(context, mount)) &&
    portsOf(spec).join(' ') ===
      Object.keys(found.HostConfig.PortBindings ?? {})
        .toSorted()
        .join(' ') &&
    !lostAddress(spec, found)
  );
}

/** Whether nobody altered it and it runs. */
export function isSound(
  container: InspectedContainer | undefined,
): container is InspectedContainer {
  if (container?.State.Status !== 'running') return false;
  const made = parseMade(labelsOf(container)[LABEL.made]);
  return made === undefined || findDrift(made, container).length === 0;
}

/** Whether it lives in the network namespace that the sandbox has now. */
export function isJoined(container: InspectedContainer, sandbox: InspectedContainer): boolean {
  return (
    container.HostConfig.NetworkMode === `container:${sandbox.Id}` &&
    isStartedSince(container, sandbox)
  );
}

export async function removeSystemContainers(
  context: DockerContext,
  roles: readonly SystemRole[],
  signal: AbortSignal,
): Promise<void> {
  for (const role of roles) {
    for (const { Id } of await listRole(context, role, signal)) {
      await removeContainer(context, Id, signal);
    }
  }
}

/** False where there is none, or none that can be put right. */
async function keepFound(
  context: DockerContext,
  spec: SystemSpec,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { Id } of await listRole(context, spec.role, signal)) {
    const found = await inspectContainer(context, Id, signal);
    if (found === undefined) continue;
    const made = parseMade(labelsOf(found)[LABEL.made]);
    const isAsMade =
      isOfSpec(context, spec, found) &&
      !['dead', 'removing'].includes(found.State.Status) &&
      (made === undefined || (await undoDrift(context, found, made, signal)));
    if (isAsMade) {
      if (made === undefined && found.Name.slice(1) !== name)
        await renameContainer(context, Id, name, signal);
      return true;
    }
    await removeContainer(context, Id, signal);
  }
  return false;
}

/** Off its network it lost the Services' addresses too: another one, with another id, is set up from the start. */
function lostAddress({ networkMode, address }: SystemSpec, found: InspectedContainer): boolean {
  return address !== undefined && found.NetworkSettings.Networks?.[networkMode] === undefined;
}

async function create(
  context: DockerContext,
  { name, bring, ...spec }: SystemSpec & { name: string; bring: BringImage },
  signal: AbortSignal,
): Promise<void> {
  await ensureSystemVolume(context, 'system-files', signal);
  if (spec.sockets === true) await ensureSystemVolume(context, 'edge-sockets', signal);
  const { image, role } = spec;
  await bring(image, signal);
  await createContainer(context, name, body(context, spec, name), marks(context, role), signal);
}

/** Docker's refusal, told so that an operator knows which image is meant and what for. */
export function explainImage(error: unknown, image: string): unknown {
  const isMissing =
    isStatus(error, 404) && error instanceof Error && NO_SUCH_IMAGE.test(error.message);
  return isMissing ? lackOf(image, { cause: error }) : error;
}

export function lackOf(image: string, why: { cause?: unknown; message?: string } = {}): UserError {
  const { cause, message } = why;
  return new UserError(
    'not-found',
    `the image ${image}, which Windlass itself runs, is not on this Docker host${message === undefined ? '' : `: ${message}`}`,
    { cause, hint: `docker pull ${image}, or npm start, which makes it from Debian packages` },
  );
}

function body(context: DockerContext, spec: SystemSpec, name: string): object {
  const { role, networkMode, address } = spec;
  const made = madeOf(name, {
    cpuShares: SYSTEM_CPU_SHARES,
    ...(address === undefined ? {} : { network: networkMode, address }),
  });
  return {
    Image: spec.image,
    Entrypoint: spec.command,
    Cmd: [],
    Env: spec.environment ?? [],
    User: '0',
    Labels: { ...marks(context, role), [LABEL.made]: JSON.stringify(made) },
    Healthcheck: { Test: ['NONE'] },
    ExposedPorts: Object.fromEntries(portsOf(spec).map((port) => [port, {}])),
    // HAProxy's own image says SIGUSR1, which waits for the last connection to end.
    StopSignal: 'SIGTERM',
    HostConfig: {
      NetworkMode: networkMode,
      RestartPolicy: { Name: RESTART_POLICY },
      LogConfig: LOG_CONFIG,
      Mounts: [
        systemMount(context, role),
        ...(spec.sockets === true ? [socketsMount(context, role, SOCKETS_FOLDER)] : []),
      ],
      PortBindings: Object.fromEntries(
        (spec.published ?? []).map((port) => [dockerPort(port), [{ HostPort: String(port.port) }]]),
      ),
      CpuShares: made.cpuShares,
      ...(role === 'proxy-sandbox' ? { CapAdd: ['NET_ADMIN'] } : {}),
      // Sockets that a HAProxy does not get of the one before are to stay as they are (kept-sockets.ts).
      ...(isHaproxy(role) ? { CapDrop: ['CHOWN'] } : {}),
    },
    ...(address === undefined
      ? {}
      : {
          NetworkingConfig: {
            EndpointsConfig: { [networkMode]: { IPAMConfig: { IPv4Address: address } } },
          },
        }),
  };
}

function portsOf({ published = [] }: SystemSpec): string[] {
  return published.map(dockerPort).toSorted();
}

function dockerPort({ port, protocol }: HostPort): string {
  return `${port}/${protocol.toLowerCase()}`;
}

/** Those under their own name first: a second one is somebody's copy. */
async function listRole(
  context: DockerContext,
  role: SystemRole,
  signal: AbortSignal,
): Promise<ListedContainer[]> {
  const listed = await callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters: filterOurs(context, { [LABEL.role]: role }) },
    signal,
  });
  const own = `/${systemName(context, role)}`;
  return listed.toSorted(
    (left, right) => Number(right.Names.includes(own)) - Number(left.Names.includes(own)),
  );
}
