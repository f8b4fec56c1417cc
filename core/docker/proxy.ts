import { BODY_SIZE_FILE } from '#core/docker/body-size.ts';
import { HTTP_RETRIES } from '#core/docker/http-retries.ts';
import { ingressSections, ingressServicePort } from '#core/docker/ingress.ts';
import type { IngressPorts } from '#core/docker/ingress.ts';
import type { RecordedIngress, Route } from '#core/docker/ingress-routes.ts';
import type { Protocol } from '#core/docker/kind-words.ts';
import type { Service, ServicePort } from '#core/docker/kinds-service.ts';
import { portOf } from '#core/docker/named-ports.ts';
import { opensHostPorts } from '#core/docker/node-ports.ts';
import { hasEnded } from '#core/docker/pod-phase.ts';
import { SERVER_DEFAULTS, serverLines } from '#core/docker/proxy-servers.ts';
import type { ProxyServer } from '#core/docker/proxy-servers.ts';
import { blinksUntil, isReady } from '#core/docker/readiness.ts';
import type { CertificateOrder, EdgeConfig, LivePod, ProxyConfig } from '#core/docker/world.ts';
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

/** A worker stays with its connections when another configuration is loaded; after this they are cut. */
const HARD_STOP = '5m';
/** So many such workers stay at most, of some 4 MB each: those of the oldest configuration are cut before. */
const MOST_ENDING = 50;
/** What Kubernetes says of a Service that does not. */
const AFFINITY_SECONDS = 10_800;
/** Where the edge finds its files. */
const EDGE_FOLDER = '/windlass/edge';
export const CA_FILE = 'ca.pem';

/**
 * Some hosts allow a billion files, for which HAProxy would reserve memory: hence its bound. Two HAProxies of one user
 * would share a port and each get half the connections: hence `noreuseport`; workers hand over their sockets anyway.
 * A worker that ends tells its successor which client met which server: hence the peer. One that nobody told so does it only
 * after some 10 s, for which it waits to be told: changes that come sooner after the very first worker move clients.
 */
const GLOBAL = `global
  fd-hard-limit 50000
  localpeer windlass
  hard-stop-after ${HARD_STOP}
  mworker-max-reloads ${MOST_ENDING}
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
${SERVER_DEFAULTS.join('\n')}

peers affinity
  bind unix@/tmp/affinity.sock
  server windlass
`;

/**
 * HAProxy copies a whole buffer, however little is in it, for each request that it may have to send again: hence no more room
 * than is asked for, of which HAProxy keeps a KB to itself. Of lines there may be no end.
 */
function roomForHeaders(headerKb: number): string {
  return `global
  tune.bufsize ${(headerKb + 1) * 1_024}
  tune.http.maxhdr 1000
`;
}

/** The cluster's own proxy: each Service's address and ports, to its ready pods. */
export function proxyConfig(
  services: readonly AddressedService[],
  pods: readonly LivePod[],
  now: number,
  headerKb: number,
): ProxyConfig {
  const sections = sorted(services).flatMap(({ service, address }) =>
    service.spec.ports
      .filter(({ protocol }) => protocol === 'TCP')
      .map((port) =>
        section(service, { bind: address, port: port.port }, [
          ...httpLines(port),
          ...serverLines(serversFor(port, endpointsOf(service, pods, now))),
        ]),
      ),
  );
  const isTuned = services.some(({ service }) => service.spec.ports.some(isHttp));
  const tuned = isTuned ? [roomForHeaders(headerKb)] : [];
  const haproxy = [GLOBAL, ...tuned, ...sections].join('\n');
  const addresses = sorted(services).map(({ address }) => address);
  return { haproxy, addresses, hash: contentHash({ haproxy, addresses }) };
}

/** The edge: each nodePort of the host, and each port of a LoadBalancer, straight to the ready pods. */
export function edgeConfig(
  services: readonly AddressedService[],
  pods: readonly LivePod[],
  now: number,
  web: EdgeIngresses,
): EdgeConfig {
  const { ingresses, certificates, users, ports, headerKb } = web;
  const isSecure = ingresses.length > 0 && certificates.length > 0;
  const ours = [...(ingresses.length > 0 ? [ports.http] : []), ...(isSecure ? [ports.https] : [])];
  const open = openPorts(services, 'TCP').filter(({ hostPort }) => !ours.includes(hostPort));
  const sections = open.map(({ service, hostPort, port }) =>
    section(service, { bind: '*', port: hostPort }, [
      ...rangeLines(service),
      ...httpLines(port),
      ...serverLines(serversFor(port, endpointsOf(service, pods, now))),
    ]),
  );
  const http = ingressSections({
    ingresses,
    ports,
    users,
    ...(certificates.some(({ own }) => own !== undefined)
      ? { ca: `${EDGE_FOLDER}/${CA_FILE}` }
      : {}),
    certificates: certificates.map(({ file }) => `${EDGE_FOLDER}/${file}`),
    challenged: [...new Set(web.orders.flatMap((order) => order.hosts))].toSorted(),
    thumbprint: web.thumbprint,
    serversOf: (route) => serversOf(route, web.services, pods, now),
  });
  const scripts = http.some((section) => section.includes('filter lua.')) ? [BODY_SIZE_FILE] : [];
  const loads = scripts.map(({ file }) => `global\n  lua-load ${EDGE_FOLDER}/${file}\n`);
  const isTuned = http.length > 0 || open.some(({ port }) => isHttp(port));
  const tuned = isTuned ? [roomForHeaders(headerKb)] : [];
  const haproxy = [GLOBAL, ...tuned, ...loads, ...sections, ...http].join('\n');
  return {
    haproxy,
    scripts,
    certificates,
    users,
    ports: [...open.map(({ hostPort }) => hostPort), ...ours],
    hash: contentHash(haproxy),
  };
}

/** What the edge does for Ingresses. */
export interface EdgeIngresses {
  ingresses: readonly RecordedIngress[];
  certificates: EdgeConfig['certificates'];
  /** Certificates that are to be had of ACME servers, and what those know our key by. */
  orders: readonly CertificateOrder[];
  thumbprint: string;
  users: EdgeConfig['users'];
  ports: IngressPorts;
  /** Room for the headers of a request or an answer. */
  headerKb: number;
  /** Those that backends may name, by the namespace and name. */
  services: ReadonlyMap<string, Service>;
}

function serversOf(
  route: Route,
  services: EdgeIngresses['services'],
  pods: readonly LivePod[],
  now: number,
): { pod: LivePod; port: number }[] {
  const namespace = route.ingress.metadata.namespace ?? 'default';
  const service = services.get(`${namespace}/${route.backend.service.name}`);
  const port = service === undefined ? undefined : ingressServicePort(service, route);
  if (service === undefined || port === undefined) return [];
  return endpointsOf(service, pods, now).flatMap((pod) => {
    const number = portOf(pod, port);
    return number === undefined || pod.ip === undefined ? [] : [{ pod, port: number }];
  });
}

interface OpenPort {
  service: Service;
  hostPort: number;
  port: ServicePort;
  recordedAt: number;
  held: boolean;
}

/** Ports of the host that Services open, each for one of them. */
export function openPorts(services: readonly AddressedService[], protocol: Protocol): OpenPort[] {
  const all = services
    .filter(({ service }) => opensHostPorts(service))
    .flatMap((service) => hostPortsOf(service, protocol))
    .toSorted((one, other) => (idOf(one.service) < idOf(other.service) ? -1 : 1));
  return all.filter((port) => !all.some((other) => takesFrom(other, port)));
}

function hostPortsOf(
  { service, recordedAt, held }: AddressedService,
  protocol: Protocol,
): OpenPort[] {
  return service.spec.ports
    .filter((port) => port.protocol === protocol)
    .flatMap((port) =>
      [port.nodePort, service.spec.type === 'LoadBalancer' ? port.port : undefined].flatMap(
        (hostPort) =>
          hostPort === undefined ? [] : [{ service, hostPort, port, recordedAt, held }],
      ),
    );
}

/** Whether the one has the host's port that the other would have too: one that is wanted, else the elder. */
function takesFrom(one: OpenPort, other: OpenPort): boolean {
  if (one === other || one.hostPort !== other.hostPort) return false;
  if (one.held !== other.held) return other.held;
  if (one.recordedAt !== other.recordedAt) return one.recordedAt < other.recordedAt;
  return idOf(one.service) < idOf(other.service);
}

/** Pods of the Service's namespace with its labels that are ready, or will be in a moment; else all that stay, if it says so. */
export function endpointsOf(service: Service, pods: readonly LivePod[], now: number): LivePod[] {
  const { type, selector } = service.spec;
  if (type === 'ExternalName' || selector === undefined) return [];
  return pods
    .filter((pod) => pod.namespace === namespaceOf(service))
    .filter((pod) =>
      service.spec.publishNotReadyAddresses
        ? pod.deletingSince === undefined && !hasEnded(pod)
        : isReady(pod) || blinksUntil(pod, now) !== undefined,
    )
    .filter((pod) =>
      Object.entries(selector).every(([label, value]) => pod.labels[label] === value),
    )
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function section(
  service: Service,
  { bind, port }: { bind: string; port: number },
  lines: readonly string[],
): string {
  const { sessionAffinity, sessionAffinityConfig } = service.spec;
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS;
  const balance =
    sessionAffinity === 'ClientIP'
      ? ['  balance source', '  hash-type consistent', ...stick(seconds)]
      : ['  balance roundrobin'];
  const head = [`listen ${idOf(service)}:${port}`, `  bind ${bind}:${port}`];
  return [...head, ...balance, ...lines, ''].join('\n');
}

/** Who met which server, for as long after the last time. */
function stick(seconds: number): string[] {
  return [`  stick-table type ip size 100k expire ${seconds}s peers affinity`, '  stick on src'];
}

/** Of a LoadBalancer: whom its ports answer. */
function rangeLines({ spec }: Service): string[] {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  return ranges.length === 0
    ? []
    : [`  tcp-request connection reject if !{ src ${ranges.join(' ')} }`];
}

function isHttp({ protocol, appProtocol }: ServicePort): boolean {
  return protocol === 'TCP' && appProtocol === 'http';
}

/** What says that it is HTTP is carried by the request: one that a killed pod took with it is answered by another. */
function httpLines(port: ServicePort): string[] {
  return isHttp(port)
    ? ['  mode http', '  option idle-close-on-response', ...HTTP_RETRIES, '  timeout tunnel 1h']
    : [];
}

function serversFor(port: ServicePort, endpoints: readonly LivePod[]): ProxyServer[] {
  return endpoints.flatMap((pod) => {
    const number = portOf(pod, port);
    return number === undefined || pod.ip === undefined
      ? []
      : [{ name: pod.name, address: `${pod.ip}:${number}` }];
  });
}

function idOf(service: Service): string {
  return `${namespaceOf(service)}/${service.metadata.name}`.replace('/', '.');
}

export function namespaceOf(service: Service): string {
  return service.metadata.namespace ?? 'default';
}

export function sorted(services: readonly AddressedService[]): AddressedService[] {
  return services.toSorted((one, other) => (idOf(one.service) < idOf(other.service) ? -1 : 1));
}
