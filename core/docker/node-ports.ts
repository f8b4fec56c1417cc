import type { Protocol } from '#core/docker/kind-words.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { NODE_PORTS } from '#core/docker/kinds-service.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/** One of the host, which has each number once for TCP and once for UDP. */
export interface HostPort {
  port: number;
  protocol: Protocol;
}

/** The nodePorts that a Service was given, by the port's name; empty for the one without. */
type NodePorts = Record<string, number>;

/**
 * Gives each port of a Service with nodePorts that asks for none its own: the one recorded, else the first free one from
 * where its name's hash points. What a manifest asks for, or another program has, is never given, and taken back from one that had it.
 */
export function assignNodePorts(
  records: readonly LiveRecord[],
  takenPorts: readonly number[] = [],
): Map<ResourceKey, NodePorts> {
  const services = records
    .flatMap((record) => {
      const service = asService(record.resource);
      return service !== undefined && opensHostPorts(service) ? [{ record, service }] : [];
    })
    .toSorted((one, other) => (one.record.key < other.record.key ? -1 : 1));
  const asked = services.flatMap(({ service }) => askedPorts(service).map(({ port }) => port));
  const taken = new Set([...asked, ...takenPorts]);
  const open = services.flatMap(({ record, service }) =>
    unaskedNames(service).map((name) => ({ record, name, recorded: record.nodePorts?.[name] })),
  );
  const assigned = new Map<ResourceKey, NodePorts>();

  function give(key: ResourceKey, name: string, port: number): void {
    taken.add(port);
    assigned.set(key, { ...assigned.get(key), [name]: port });
  }

  const fresh = open.filter(({ record, name, recorded }) => {
    if (recorded === undefined || taken.has(recorded)) return true;
    give(record.key, name, recorded);
    return false;
  });
  for (const { record, name } of fresh)
    give(record.key, name, freePort(`${record.key} ${name}`, taken));
  return assigned;
}

export function opensHostPorts({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

/** The Service with the nodePorts that it was given. */
export function withNodePorts(service: Service, nodePorts: NodePorts = {}): Service {
  if (!opensHostPorts(service)) return service;
  const [first, ...rest] = service.spec.ports.map((port) => {
    const given = nodePorts[port.name ?? ''];
    return port.nodePort !== undefined || given === undefined ? port : { ...port, nodePort: given };
  });
  if (first === undefined) return service;
  return { ...service, spec: { ...service.spec, ports: [first, ...rest] } };
}

/**
 * Why an owner cannot have its Services: another one has one that asks for the same nodePort already. Where two were
 * recorded at once, the elder keeps it.
 */
export function findNodePortRival(
  owner: OwnerKey,
  resources: readonly Resource[],
  records: readonly LiveRecord[],
): string | undefined {
  const others = records.filter((record) => record.owner !== owner && record.held !== true);
  for (const resource of resources) {
    const key = keyOf(resource);
    const own = records.find((record) => record.key === key);
    for (const port of askedPorts(asService(resource))) {
      const rival = others.find((other) => asksFor(other, port) && comesBefore(other, own, port));
      if (rival !== undefined)
        return `${key} asks for port ${port.port} of the host, which ${rival.key} of ${rival.owner} has`;
    }
  }
  return undefined;
}

function asksFor({ resource }: LiveRecord, wanted: HostPort): boolean {
  return askedPorts(asService(resource)).some(
    ({ port, protocol }) => port === wanted.port && protocol === wanted.protocol,
  );
}

function comesBefore(record: LiveRecord, own: LiveRecord | undefined, port: HostPort): boolean {
  if (own === undefined || !asksFor(own, port)) return true;
  if (record.recordedAt !== own.recordedAt) return record.recordedAt < own.recordedAt;
  return record.key < own.key;
}

function asService(resource: Resource): Service | undefined {
  return resource.kind === 'Service' ? (resource as unknown as Service) : undefined;
}

/** Of the host: nodePorts by number, and those of a LoadBalancer, which is the host itself. */
export function askedPorts(service: Service | undefined): HostPort[] {
  const isBalancer = service?.spec.type === 'LoadBalancer';
  return (service?.spec.ports ?? []).flatMap(({ port, nodePort, protocol }) => [
    ...(nodePort === undefined ? [] : [{ port: nodePort, protocol }]),
    ...(isBalancer ? [{ port, protocol }] : []),
  ]);
}

function unaskedNames({ spec }: Service): string[] {
  if (spec.allocateLoadBalancerNodePorts === false) return [];
  return spec.ports.flatMap(({ name, nodePort }) => (nodePort === undefined ? [name ?? ''] : []));
}

function freePort(name: string, taken: ReadonlySet<number>): number {
  const { first, last } = NODE_PORTS;
  const size = last - first + 1;
  const start = Number.parseInt(contentHash(name).slice(-8), 16) % size;
  for (let offset = 0; offset < size; offset += 1) {
    const port = first + ((start + offset) % size);
    if (!taken.has(port)) return port;
  }
  throw new UserError('conflict', `there is no free nodePort for ${name}: all ${size} are taken`);
}
