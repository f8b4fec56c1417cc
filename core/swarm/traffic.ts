import { assignAddresses } from '#core/docker/addresses.ts';
import { needsRecords } from '#core/docker/dns-records.ts';
import { behindSockets } from '#core/docker/edge-sockets.ts';
import { assignNodePorts } from '#core/docker/node-ports.ts';
import {
  dueOrders,
  isAddressed,
  isOther,
  ownersWith,
  trafficConfigs,
} from '#core/docker/traffic.ts';
import type { TrafficConfigs, TrafficScope } from '#core/docker/traffic.ts';
import { needsUdp } from '#core/docker/udp.ts';
import type { EdgeConfig, ProxyConfig, UdpConfig, UdpRole } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';
import type { OwnerKey } from '#core/owner.ts';
import { withFoundTasks } from '#core/swarm/found-tasks.ts';
import { ledTo } from '#core/swarm/led-to.ts';
import { podsOfTasks } from '#core/swarm/task-pods.ts';
import type {
  ServerProxies,
  ServerStep,
  SwarmDecision,
  SwarmRecord,
  SwarmStep,
  SwarmWorld,
} from '#core/swarm/world.ts';

export interface Traffic {
  steps: SwarmStep[];
  /** Every server's proxies and name servers lead where they should, but for what only those who wait need. */
  settled: boolean;
  /** Some proxy, name server or edge of a server that can be reached is not as it is to be. */
  isUntold: boolean;
  waiting: ReadonlySet<OwnerKey>;
  /** When the next certificate is due (ms since the epoch). */
  orderAt: number | undefined;
}

const NO_EDGE: EdgeConfig = {
  haproxy: '',
  scripts: [],
  certificates: [],
  users: [],
  ports: [],
  hash: contentHash(''),
};
const NO_UDP: UdpConfig = { nginx: '', ports: [], endpoints: [], hash: contentHash('') };

/** What Services were given, and keep: the inventory as it is once it is recorded. */
export function withAddresses(records: readonly SwarmRecord[], world: SwarmWorld): SwarmRecord[] {
  const keys = records.filter(({ resource }) => isAddressed(resource)).map(({ key }) => key);
  const addresses = assignAddresses(keys, records, world.serviceRange);
  const taken = world.proxies.flatMap((each) => each.taken ?? []).map(({ port }) => port);
  const nodePorts = assignNodePorts(records, taken);
  return records.map(({ clusterIp: _ip, nodePorts: _ports, ...record }) => {
    const clusterIp = isAddressed(record.resource) ? addresses.get(record.key) : undefined;
    const ports = nodePorts.get(record.key);
    return {
      ...record,
      ...(clusterIp === undefined ? {} : { clusterIp }),
      ...(ports === undefined ? {} : { nodePorts: ports }),
    };
  });
}

/** For every Service and Ingress there is, of owners that are not asked about too. */
export function trafficOf(
  records: readonly SwarmRecord[],
  secrets: TrafficScope['secrets'],
  world: SwarmWorld,
  { leaving, now, declared }: { leaving: SwarmDecision['leaving']; now: number; declared: boolean },
): Traffic {
  const isNeeded = declared || records.length > 0 || world.services.length > 0;
  if (!isNeeded)
    return {
      steps: [],
      settled: true,
      isUntold: false,
      waiting: new Set(),
      orderAt: undefined,
    };
  const [nameServer = '127.0.0.1'] = world.nameServers;
  const scope = {
    records,
    pods: podsOfTasks(ledTo(world, leaving)),
    world: { ...world, nameServer },
    secrets,
  };
  const configs = trafficConfigs(scope, now);
  const all = {
    ...configs,
    proxy: onEachServer(configs.proxy, world),
    edge: findingTasks(behindSockets(configs.edge)),
  };
  const steps = world.proxies.flatMap((server) => serverSteps(server, all, records));
  // An authority asks any of the edges.
  const isAnswered = world.proxies.every(({ isEdge, edge }) => !isEdge || edge === all.edge.hash);
  const { due, orderAt } = dueOrders(isAnswered ? configs.orders : [], world.acme, now);
  return {
    steps: [...steps, ...due.map((order): SwarmStep => ({ kind: 'orderCertificate', order }))],
    // Where no server can be looked at it leads nowhere.
    settled: world.proxies.length > 0 && steps.every((step) => 'owners' in step),
    isUntold: steps.length > 0,
    waiting: new Set(steps.flatMap((step) => ('owners' in step ? step.owners : []))),
    orderAt,
  };
}

/** The address of the name server is the proxy's too: it is the same on every server, and answered by its own. */
function onEachServer(
  { haproxy, addresses }: ProxyConfig,
  { nameServers }: SwarmWorld,
): ProxyConfig {
  const [own = '127.0.0.1'] = nameServers;
  // HAProxy does not run with nothing to listen on.
  const text = `${withFoundTasks(haproxy)}\nlisten windlass\n  bind ${own}:8404\n  mode http\n  monitor-uri /\n`;
  const all = [...nameServers, ...addresses];
  return { haproxy: text, addresses: all, hash: contentHash({ text, all }) };
}

function findingTasks(edge: EdgeConfig): EdgeConfig {
  const haproxy = withFoundTasks(edge.haproxy);
  return { ...edge, haproxy, hash: contentHash({ haproxy, front: edge.front }) };
}

/** The proxy first, which gives the name server its address; UDP last, which needs the names of pods too. */
function serverSteps(
  server: ServerProxies,
  configs: TrafficConfigs,
  records: readonly SwarmRecord[],
): ServerStep[] {
  const { node, isEdge } = server;
  const { dns, proxy, records: names } = configs;
  const edge = isEdge ? configs.edge : NO_EDGE;
  const needsEdge = edge.ports.length > 0 || server.edge !== undefined;

  function udpSteps(role: UdpRole, config: UdpConfig, running: string | undefined): ServerStep[] {
    return isOther(config.hash, config.nginx, running)
      ? [{ kind: 'configureUdp', node, role, config, owners: ownersWith(records, needsUdp) }]
      : [];
  }

  const steps: ServerStep[] = [
    ...(server.proxy === proxy.hash
      ? []
      : [{ kind: 'configureProxy' as const, node, config: proxy }]),
    ...(server.dns === dns.hash ? [] : [{ kind: 'configureDns' as const, node, config: dns }]),
    ...(needsEdge && server.edge !== edge.hash
      ? [{ kind: 'configureEdge' as const, node, config: edge }]
      : []),
    ...(isOther(names.hash, names.unbound, server.nameRecords)
      ? [
          {
            kind: 'configureRecords' as const,
            node,
            config: names,
            owners: ownersWith(records, needsRecords),
          },
        ]
      : []),
    ...udpSteps('udp-proxy', configs.udpProxy, server.udpProxy),
    ...udpSteps('udp-edge', isEdge ? configs.udpEdge : NO_UDP, server.udpEdge),
  ];
  return steps.filter((step) => server.leftAside?.includes(stepName(step)) !== true);
}

/** Which of the steps of a server it is. */
export function stepName(step: ServerStep): string {
  return step.kind === 'configureUdp' ? `${step.kind} ${step.role}` : step.kind;
}
