import type { Service, ServicePort } from '#core/docker/kinds-service.ts';
import { portOf } from '#core/docker/named-ports.ts';
import { endpointsOf, namespaceOf, openPorts, sorted } from '#core/docker/proxy.ts';
import type { AddressedService } from '#core/docker/proxy.ts';
import type { LivePod, UdpConfig } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

/**
 * A flow, which is a client's address and port, falls into one of so many slots, and a slot's name answers with a pod.
 * So pods come without nginx being told, which would interrupt flows; when one goes and it is, the other flows keep theirs.
 */
const SLOTS = 100;
/** A flow ends when it is silent for so long, as in Kubernetes one that is not answered. */
const SILENCE = '30s';

/** Where datagrams to one port of a Service come in. */
interface UdpListener {
  service: Service;
  port: ServicePort;
  listen: string;
  /** Whom it answers; everybody where none is named. */
  ranges: readonly string[];
}

export interface UdpWorld {
  services: readonly AddressedService[];
  pods: readonly LivePod[];
  nameServer: string;
  now: number;
}

/** The cluster's own: each Service's address and UDP ports. */
export function udpProxyConfig(world: UdpWorld): UdpConfig {
  const listeners = sorted(world.services).flatMap(({ service, address }) =>
    udpPorts(service).map((port) => ({
      service,
      port,
      listen: `${address}:${port.port}`,
      ranges: [],
    })),
  );
  return { ...udpConfig(listeners, world), ports: [] };
}

/** The host's: each nodePort and each port of a LoadBalancer that is of UDP. */
export function udpEdgeConfig(world: UdpWorld): UdpConfig {
  const open = openPorts(world.services, 'UDP');
  const listeners = open.map(({ service, port, hostPort }) => ({
    service,
    port,
    listen: `${hostPort}`,
    ranges: service.spec.loadBalancerSourceRanges ?? [],
  }));
  return { ...udpConfig(listeners, world), ports: open.map(({ hostPort }) => hostPort) };
}

/** The slots' names with the addresses of the pods that are theirs. */
export function udpNames(
  services: readonly AddressedService[],
  pods: readonly LivePod[],
  now: number,
): [string, string[]][] {
  return services.flatMap(({ service }) =>
    udpPorts(service).flatMap((port) => {
      const slots = slotsOf(targetsOf(service, port, pods, now));
      return slots.map((targets, slot): [string, string[]] => [
        `${slot}.${nameOf(service, port)}`,
        targets.map(({ ip }) => ip),
      ]);
    }),
  );
}

export function needsUdp(service: Service): boolean {
  return udpPorts(service).length > 0;
}

interface Target {
  name: string;
  ip: string;
  port: number;
}

function udpConfig(listeners: readonly UdpListener[], world: UdpWorld): Omit<UdpConfig, 'ports'> {
  if (listeners.length === 0) return { nginx: '', endpoints: [], hash: contentHash('') };
  const all = listeners.map((listener) => ({
    ...listener,
    targets: targetsOf(listener.service, listener.port, world.pods, world.now),
  }));
  // Nobody listens where there is no pod: the client is told so at once.
  const servers = all.filter(({ targets }) => targets.length > 0).map(serverOf);
  const nginx = [...headOf(world.nameServer), ...servers.flat(), '}', ''].join('\n');
  const endpoints = [
    ...new Set(all.flatMap(({ targets }) => targets.map(({ ip, port }) => `${ip}:${port}`))),
  ].toSorted();
  return { nginx, endpoints, hash: contentHash({ nginx, endpoints }) };
}

/** Two workers would take the datagrams of one flow in turns. In some images the module is a file of its own. */
function headOf(nameServer: string): string[] {
  const slots = Array.from({ length: SLOTS }, (_, slot) =>
    slot === SLOTS - 1 ? `    * ${slot};` : `    ${100 / SLOTS}% ${slot};`,
  );
  return [
    'include /etc/nginx/modules-enabled/*.conf;',
    'daemon off;',
    'user root root;',
    'worker_processes 1;',
    `worker_shutdown_timeout ${SILENCE};`,
    'pid /tmp/nginx.pid;',
    'error_log stderr notice;',
    'events { worker_connections 16384; }',
    'stream {',
    `  resolver ${nameServer} ipv6=off valid=1s;`,
    '  resolver_timeout 2s;',
    `  proxy_timeout ${SILENCE};`,
    ...split('$remote_addr:$remote_port', '$flow', slots),
    ...split('$remote_addr', '$client', slots),
  ];
}

function split(key: string, variable: string, slots: readonly string[]): string[] {
  return [`  split_clients "${key}" ${variable} {`, ...slots, '  }'];
}

function serverOf(
  { service, port, listen, ranges, targets }: UdpListener & { targets: readonly Target[] },
  index: number,
): string[] {
  const slot = service.spec.sessionAffinity === 'ClientIP' ? '$client' : '$flow';
  const numbers = new Set(targets.map((target) => target.port));
  const [number = 0] = numbers;
  const isSame = numbers.size === 1;
  const to = isSame ? `${number}` : `$port${index}`;
  return [
    ...(isSame ? [] : portsBySlot(slot, to, targets)),
    '  server {',
    `    listen ${listen} udp;`,
    ...ranges.map((range) => `    allow ${range};`),
    ...(ranges.length === 0 ? [] : ['    deny all;']),
    `    proxy_pass ${slot}.${nameOf(service, port)}:${to};`,
    '  }',
  ];
}

/** Pods may have a port of one name under several numbers. */
function portsBySlot(slot: string, variable: string, targets: readonly Target[]): string[] {
  const lines = slotsOf(targets).map(([target], index) => `    ${index} ${target?.port ?? 0};`);
  return [`  map ${slot} ${variable} {`, ...lines, '  }'];
}

function targetsOf(
  service: Service,
  port: ServicePort,
  pods: readonly LivePod[],
  now: number,
): Target[] {
  return endpointsOf(service, pods, now).flatMap((pod) => {
    const number = portOf(pod, port);
    return number === undefined || pod.ip === undefined
      ? []
      : [{ name: pod.name, ip: pod.ip, port: number }];
  });
}

/**
 * Each slot's pod: the one that weighs most there and has room, so that all have about as many and few slots change
 * hands where a pod comes or goes. Where there are more pods than slots, a slot has several.
 */
function slotsOf(targets: readonly Target[]): Target[][] {
  if (targets.length === 0) return [];
  if (targets.length > SLOTS)
    return Array.from({ length: SLOTS }, (_, slot) =>
      targets.filter((_target, index) => index % SLOTS === slot),
    );
  const room = new Map(targets.map(({ name }) => [name, Math.ceil(SLOTS / targets.length)]));
  return Array.from({ length: SLOTS }, (_, slot) => {
    const ranked = targets
      .map((target) => ({ target, weight: contentHash([target.name, slot]) }))
      .toSorted((one, other) => (one.weight < other.weight ? 1 : -1));
    const found = ranked.find(({ target }) => (room.get(target.name) ?? 0) > 0);
    if (found === undefined) return [];
    room.set(found.target.name, (room.get(found.target.name) ?? 0) - 1);
    return [found.target];
  });
}

function udpPorts({ spec }: Service): ServicePort[] {
  return spec.ports.filter(({ protocol }) => protocol === 'UDP');
}

function nameOf(service: Service, { port }: ServicePort): string {
  return `${port}.${service.metadata.name}.${namespaceOf(service)}.udp.cluster.local`;
}
