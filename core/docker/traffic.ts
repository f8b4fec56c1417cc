import { orderAt, ordersOf } from '#core/docker/acme.ts';
import { certificatesOf } from '#core/docker/certificates.ts';
import { recordsConfig, recordsOf } from '#core/docker/dns-records.ts';
import { ingressesIn } from '#core/docker/ingress-routes.ts';
import { usersOf } from '#core/docker/ingress-users.ts';
import { hasAddress } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { dnsConfig } from '#core/docker/names.ts';
import { withNodePorts } from '#core/docker/node-ports.ts';
import { edgeConfig, namespaceOf, proxyConfig } from '#core/docker/proxy.ts';
import type { AddressedService, EdgeIngresses } from '#core/docker/proxy.ts';
import { udpEdgeConfig, udpProxyConfig } from '#core/docker/udp.ts';
import type {
  AcmeWorld,
  CertificateOrder,
  DnsConfig,
  EdgeConfig,
  LivePod,
  LiveRecord,
  ProxyConfig,
  RecordsConfig,
  UdpConfig,
  World,
} from '#core/docker/world.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Resource } from '#core/resources/resource.ts';

/** What traffic depends on beside what is recorded and what runs. */
type TrafficWorld = Pick<
  World,
  'nameServer' | 'ingressPorts' | 'headerKb' | 'acme' | 'certificates'
>;

export interface TrafficScope {
  records: readonly LiveRecord[];
  pods: readonly LivePod[];
  world: TrafficWorld;
  /** Of who is asked about. */
  secrets: readonly { clear: Resource; sealed: Resource }[];
}

/** What names and proxies are to be for all Services and Ingresses, whoever owns them. */
export interface TrafficConfigs {
  dns: DnsConfig;
  records: RecordsConfig;
  proxy: ProxyConfig;
  edge: EdgeConfig;
  udpProxy: UdpConfig;
  udpEdge: UdpConfig;
  /** Certificates that are asked for. */
  orders: readonly CertificateOrder[];
}

export function trafficConfigs(scope: TrafficScope, now: number): TrafficConfigs {
  const { records, pods, world } = scope;
  const { nameServer } = world;
  const services = addressed(records);
  const named = records.flatMap(({ resource }) => asService(resource) ?? []);
  const unaddressed = named.filter((service) => !hasAddress(service));
  const domains = recordsOf(named, pods, now);
  const web = ingressesOf(scope, named, now);
  const udp = { services, pods, nameServer, now };
  return {
    dns: dnsConfig({ services, unaddressed, pods, records: domains, now }),
    records: recordsConfig(domains, nameServer),
    proxy: proxyConfig(services, pods, now, world.headerKb),
    edge: edgeConfig(services, pods, now, web),
    udpProxy: udpProxyConfig(udp),
    udpEdge: udpEdgeConfig(udp),
    orders: web.orders,
  };
}

/** Those whose time has come, and when the next one's comes (ms since the epoch). */
export function dueOrders(
  orders: readonly CertificateOrder[],
  acme: AcmeWorld | undefined,
  now: number,
): { due: CertificateOrder[]; orderAt: number | undefined } {
  const timed = orders.flatMap((order) => {
    const at = acme === undefined ? undefined : orderAt(order, acme);
    return at === undefined ? [] : [{ order, at }];
  });
  const later = timed.filter(({ at }) => at > now).map(({ at }) => at);
  return {
    due: timed.filter(({ at }) => at <= now).map(({ order }) => order),
    orderAt: later.length === 0 ? undefined : Math.min(...later),
  };
}

/** Of what runs only where it has something to do. */
export function isOther(hash: string, config: string, running: string | undefined): boolean {
  return (config !== '' || running !== undefined) && running !== hash;
}

/** Those who have such a Service. */
export function ownersWith(
  records: readonly LiveRecord[],
  has: (service: Service) => boolean,
): OwnerKey[] {
  const found = records.filter(({ resource }) => {
    const service = asService(resource);
    return service !== undefined && has(service);
  });
  return [...new Set(found.map(({ owner }) => owner))];
}

function addressed(records: readonly LiveRecord[]): AddressedService[] {
  return records.flatMap(({ resource, clusterIp, nodePorts, recordedAt, held = false }) => {
    const recorded = asService(resource);
    if (recorded === undefined || clusterIp === undefined) return [];
    const service = withNodePorts(recorded, nodePorts);
    return [{ service, address: clusterIp, recordedAt, held }];
  });
}

export function isAddressed(resource: Resource): boolean {
  const service = asService(resource);
  return service !== undefined && hasAddress(service);
}

export function asService(resource: Resource): Service | undefined {
  return resource.kind === 'Service' ? (resource as unknown as Service) : undefined;
}

function ingressesOf(
  { records, world, secrets }: TrafficScope,
  services: readonly Service[],
  now: number,
): EdgeIngresses {
  const ingresses = ingressesIn(records);
  return {
    ingresses,
    certificates: certificatesOf(ingresses, records, secrets, world, now),
    orders: world.acme === undefined ? [] : ordersOf(ingresses, world.acme, records),
    thumbprint: world.acme?.thumbprint ?? '',
    users: usersOf(ingresses, records, secrets),
    ports: world.ingressPorts,
    headerKb: world.headerKb,
    services: new Map(services.map((each) => [`${namespaceOf(each)}/${each.metadata.name}`, each])),
  };
}
