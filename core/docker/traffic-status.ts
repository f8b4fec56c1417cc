import { ingressHealth, uselessSecret } from '#core/docker/ingress-status.ts';
import type { Ingress } from '#core/docker/kinds-ingress.ts';
import { isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { askedPorts, withNodePorts } from '#core/docker/node-ports.ts';
import { endpointsOf } from '#core/docker/proxy.ts';
import { asService } from '#core/docker/traffic.ts';
import type { LivePod, LiveRecord, World } from '#core/docker/world.ts';
import type { ResourceStatus } from '#core/engine.ts';
import { displayKey } from '#core/present/display.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** What the status of a Service or an Ingress follows from. */
export interface TrafficFacts {
  records: readonly LiveRecord[];
  pods: readonly LivePod[];
  world: Pick<World, 'ingressPorts' | 'acme' | 'certificates'>;
  now: number;
}

/** How a Service or an Ingress stands; absent of anything else. */
export function trafficStatus(resource: Resource, facts: TrafficFacts): ResourceStatus | undefined {
  const key = keyOf(resource);
  const service = asService(resource);
  if (service !== undefined) return serviceStatus(key, service, facts);
  if (resource.kind !== 'Ingress') return undefined;
  const ingress = resource as unknown as Ingress;
  return {
    key,
    health: ingressHealth(ingress, facts.world, byKey(facts.records), facts.now),
    summary: ingress.spec.rules.map(({ host = '*' }) => host).join(', '),
  };
}

/** Why a release with these would serve no certificate but the internal CA's; absent where it would. */
export function uselessSecretOf(
  resources: readonly Resource[],
  { records, world, now }: TrafficFacts,
): string | undefined {
  const known = byKey(records);
  return resources
    .filter(({ kind }) => kind === 'Ingress')
    .map((resource) => {
      const why = uselessSecret(resource as unknown as Ingress, world, known, now);
      return why === undefined ? undefined : `${displayKey(keyOf(resource))}: ${why}`;
    })
    .find((why) => why !== undefined);
}

function byKey(records: readonly LiveRecord[]): Map<ResourceKey, Resource> {
  return new Map(records.map(({ key, resource }) => [key, resource]));
}

/** `10.88.128.4, ports 80:30080, 2 endpoints` */
function serviceStatus(key: ResourceKey, service: Service, facts: TrafficFacts): ResourceStatus {
  const { records, pods, now } = facts;
  if (service.spec.type === 'ExternalName')
    return {
      key,
      health: { status: 'Healthy', reason: '' },
      summary: `leads to ${service.spec.externalName}`,
    };
  const endpoints = endpointsOf(service, pods, now).length;
  const record = records.find((each) => each.key === key);
  const address = isHeadless(service) ? 'headless' : (record?.clusterIp ?? 'no address yet');
  const ports = withNodePorts(service, record?.nodePorts)
    .spec.ports.map(({ port, nodePort, protocol }) =>
      [
        nodePort === undefined ? `${port}` : `${port}:${nodePort}`,
        ...(protocol === 'TCP' ? [] : [protocol]),
      ].join('/'),
    )
    .join(',');
  const rival = ingressPortOf(service, facts);
  return {
    key,
    health:
      rival === undefined
        ? { status: 'Healthy', reason: '' }
        : { status: 'Degraded', reason: `port ${rival} of the host is where Ingresses are served` },
    summary: `${address}, ${ports === '' ? '' : `ports ${ports}, `}${endpoints} ${endpoints === 1 ? 'endpoint' : 'endpoints'}`,
  };
}

/** A port of the host that the Service asks for and Ingresses have. */
function ingressPortOf(
  service: Service,
  { world, records }: Pick<TrafficFacts, 'world' | 'records'>,
): number | undefined {
  if (!records.some(({ resource }) => resource.kind === 'Ingress')) return undefined;
  return askedPorts(service).find(
    ({ port, protocol }) => protocol === 'TCP' && Object.values(world.ingressPorts).includes(port),
  )?.port;
}
