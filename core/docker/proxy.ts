import type { Service } from '#core/docker/kinds.ts';
import { opensNodePorts } from '#core/docker/node-ports.ts';
import { blinksUntil, isReady } from '#core/docker/readiness.ts';
import type { DnsConfig, EdgeConfig, LivePod, ProxyConfig } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

/** A Service with its address, whoever owns it. */
export interface AddressedService {
  service: Service;
  address: string;
  /** Milliseconds since the epoch; of two that ask for one nodePort the elder gets it. */
  recordedAt: number;
  /** Its deletion waits for a confirmation: it gives its nodePorts up to one that is wanted. */
  held: boolean;
}

/** Connections of the configuration before last a reload; after this they are cut. */
const HARD_STOP = '5m';

/**
 * Some hosts allow a billion files, for which HAProxy would reserve memory: hence its bound. Two HAProxies of one user
 * would share a port and each get half the connections: hence `noreuseport`; workers hand over their sockets anyway.
 */
const GLOBAL = `global
  fd-hard-limit 50000
  hard-stop-after ${HARD_STOP}
  noreuseport

defaults
  mode tcp
  option redispatch 1
  option tcpka
  option splice-auto
  retries 3
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  timeout client-fin 30s
  default-server check inter 2s fastinter 500ms fall 2 rise 1
`;

/** The cluster's own proxy: each Service's address and ports, to its ready pods. */
export function proxyConfig(
  services: readonly AddressedService[],
  pods: readonly LivePod[],
  now: number,
): ProxyConfig {
  const sections = sorted(services).flatMap(({ service, address }) =>
    service.spec.ports.map((port) =>
      section(
        `${idOf(service)}:${port.port}`,
        `${address}:${port.port}`,
        port.targetPort,
        endpointsOf(service, pods, now),
      ),
    ),
  );
  const haproxy = [GLOBAL, ...sections].join('\n');
  const addresses = sorted(services).map(({ address }) => address);
  return { haproxy, addresses, hash: contentHash({ haproxy, addresses }) };
}

/** The edge: each nodePort of the host, straight to the ready pods. */
export function edgeConfig(
  services: readonly AddressedService[],
  pods: readonly LivePod[],
  now: number,
): EdgeConfig {
  const all = services
    .filter(({ service }) => opensNodePorts(service))
    .flatMap(({ service, recordedAt, held }) =>
      service.spec.ports.flatMap((port) =>
        port.nodePort === undefined
          ? []
          : [{ id: idOf(service), service, port, nodePort: port.nodePort, recordedAt, held }],
      ),
    )
    .toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const open = all.filter((port) => !all.some((other) => takesFrom(other, port)));
  const sections = open.map(({ service, port, nodePort }) =>
    section(
      `${idOf(service)}:${nodePort}`,
      `*:${nodePort}`,
      port.targetPort,
      endpointsOf(service, pods, now),
    ),
  );
  const haproxy = [GLOBAL, ...sections].join('\n');
  return { haproxy, ports: open.map(({ nodePort }) => nodePort), hash: contentHash(haproxy) };
}

interface OpenPort {
  id: string;
  nodePort: number;
  recordedAt: number;
  held: boolean;
}

/** Whether the one has the nodePort that the other would have too: one that is wanted, else the elder. */
function takesFrom(one: OpenPort, other: OpenPort): boolean {
  if (one === other || one.nodePort !== other.nodePort) return false;
  if (one.held !== other.held) return other.held;
  if (one.recordedAt !== other.recordedAt) return one.recordedAt < other.recordedAt;
  return one.id < other.id;
}

/** `<service>.<namespace>.svc.cluster.local`, the name that the pods' search domains lead to. */
export function dnsConfig(services: readonly AddressedService[]): DnsConfig {
  const hosts = Object.fromEntries(
    sorted(services).map(({ service, address }) => [
      `${service.metadata.name}.${namespaceOf(service)}.svc.cluster.local`,
      address,
    ]),
  );
  return { hosts, hash: contentHash(hosts) };
}

/** Pods of the Service's namespace with its labels that are ready, or will be in a moment. */
export function endpointsOf(service: Service, pods: readonly LivePod[], now: number): LivePod[] {
  return pods
    .filter((pod) => pod.namespace === namespaceOf(service))
    .filter((pod) => isReady(pod) || blinksUntil(pod, now) !== undefined)
    .filter((pod) =>
      Object.entries(service.spec.selector).every(([label, value]) => pod.labels[label] === value),
    )
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function section(
  id: string,
  bind: string,
  targetPort: number | string,
  endpoints: readonly LivePod[],
): string {
  const servers = endpoints.flatMap((pod) => {
    const port = typeof targetPort === 'number' ? targetPort : pod.ports[targetPort];
    return port === undefined || pod.ip === undefined
      ? []
      : [`  server ${pod.name} ${pod.ip}:${port}`];
  });
  return [`listen ${id}`, `  bind ${bind}`, '  balance roundrobin', ...servers, ''].join('\n');
}

function idOf(service: Service): string {
  return `${namespaceOf(service)}/${service.metadata.name}`.replace('/', '.');
}

function namespaceOf(service: Service): string {
  return service.metadata.namespace ?? 'default';
}

function sorted(services: readonly AddressedService[]): AddressedService[] {
  return services.toSorted((one, other) => (idOf(one.service) < idOf(other.service) ? -1 : 1));
}
