import { callDocker } from '#adapters/docker/call.ts';
import { MARK } from '#core/swarm/marks.ts';
import { serviceName } from '#core/swarm/names.ts';
import { isSurge } from '#core/swarm/rollout.ts';
import { SERVER_LABEL } from '#core/swarm/servers/labels.ts';
import type {
  Amounts,
  Fleet,
  FleetNode,
  FleetService,
  FleetTask,
} from '#core/swarm/simulate/fleet.ts';
import type { SwarmContext } from './context.ts';
import { seenNode } from './servers/observe-servers.ts';
import type { NodeAnswer, TaskAnswer } from './servers/observe-servers.ts';

interface FleetNodeAnswer extends NodeAnswer {
  Description?: {
    Hostname?: string;
    Engine?: { EngineVersion?: string; Labels?: Record<string, string> | null };
    Platform?: { OS?: string; Architecture?: string };
    Resources?: AmountsAnswer;
  };
}

interface AmountsAnswer {
  NanoCPUs?: number;
  MemoryBytes?: number;
}

interface ServiceAnswer {
  ID: string;
  Spec: {
    Name: string;
    Labels?: Record<string, string> | null;
    Mode: object;
    TaskTemplate: {
      Resources?: { Reservations?: AmountsAnswer };
      Placement?: {
        Constraints?: string[] | null;
        Preferences?: { Spread?: { SpreadDescriptor: string } }[] | null;
        Platforms?: { OS?: string; Architecture?: string }[] | null;
        MaxReplicas?: number;
      };
    };
    EndpointSpec?: {
      Ports?: { Protocol?: string; PublishedPort?: number; PublishMode?: string }[] | null;
    };
  };
}

interface FleetTaskAnswer extends TaskAnswer {
  ServiceID: string;
  Slot?: number;
}

const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
const WANTED = new Set(['ready', 'running', 'complete']);
/** What else is to be spread over Swarm leaves aside. */
const SPREAD = /^(node|engine)\.labels\../i;

/** All of the swarm that its scheduler goes by, by the newest that the manager knows. Nothing is written. */
export async function readFleet(context: SwarmContext, signal: AbortSignal): Promise<Fleet> {
  const [nodes, services, tasks] = await Promise.all([
    list<FleetNodeAnswer>(context, '/nodes', signal),
    list<ServiceAnswer>(context, '/services', signal),
    list<FleetTaskAnswer>(context, '/tasks', signal),
  ]);
  return {
    nodes: nodes.map((node) => fleetNode(node, tasks)),
    services: services.map((service) => fleetService(context, service)),
    tasks: tasks.filter(({ Status }) => !ENDED.has(Status.State)).map(fleetTask),
  };
}

/** Its servers alone. */
export async function readNodes(context: SwarmContext, signal: AbortSignal): Promise<FleetNode[]> {
  const nodes = await list<FleetNodeAnswer>(context, '/nodes', signal);
  return nodes.map((node) => fleetNode(node, []));
}

async function list<T>(context: SwarmContext, path: string, signal: AbortSignal): Promise<T[]> {
  return (await callDocker<T[] | null>(context.docker, { method: 'GET', path, signal })) ?? [];
}

function fleetNode(answer: FleetNodeAnswer, tasks: readonly FleetTaskAnswer[]): FleetNode {
  const node = seenNode(answer, tasks);
  const { Engine, Platform, Resources } = answer.Description ?? {};
  return {
    ...node,
    server: node.labels[SERVER_LABEL] ?? node.hostname,
    platform: { os: Platform?.OS ?? '', architecture: Platform?.Architecture ?? '' },
    engineLabels: Engine?.Labels ?? {},
    capacity: amounts(Resources),
  };
}

function fleetService(context: SwarmContext, { ID, Spec }: ServiceAnswer): FleetService {
  const { Placement, Resources } = Spec.TaskTemplate;
  const key = Spec.Labels?.[MARK.resource] ?? '';
  const owner = Spec.Labels?.[MARK.owner];
  // What stands in during a rollout goes by itself: nobody is to spread it anew.
  const isOurs =
    owner !== undefined &&
    !isSurge(key) &&
    Spec.Name === serviceName(context, key, Spec.Labels?.[MARK.part]);
  return {
    id: ID,
    ...(isOurs ? { name: key, owner } : { name: Spec.Name }),
    kind: kindOf(Spec.Mode),
    reserves: amounts(Resources?.Reservations),
    constraints: Placement?.Constraints ?? [],
    spreads: (Placement?.Preferences ?? [])
      .map(({ Spread }) => Spread?.SpreadDescriptor ?? '')
      .filter((descriptor) => SPREAD.test(descriptor)),
    platforms: (Placement?.Platforms ?? []).map(({ OS = '', Architecture = '' }) => ({
      os: OS,
      architecture: Architecture,
    })),
    hostPorts: (Spec.EndpointSpec?.Ports ?? [])
      .filter(({ PublishMode, PublishedPort = 0 }) => PublishMode === 'host' && PublishedPort > 0)
      .map(({ Protocol = 'tcp', PublishedPort }) => `${Protocol}/${PublishedPort}`),
    mostPerNode: Placement?.MaxReplicas ?? 0,
  };
}

/** A job on every server has no task that could be elsewhere either. */
function kindOf(mode: object): FleetService['kind'] {
  if ('Global' in mode || 'GlobalJob' in mode) return 'global';
  return 'ReplicatedJob' in mode ? 'job' : 'replicated';
}

function fleetTask({ ServiceID, Slot = 0, NodeID = '', DesiredState }: FleetTaskAnswer): FleetTask {
  return {
    service: ServiceID,
    slot: Slot === 0 ? NodeID : String(Slot),
    node: NodeID,
    isWanted: WANTED.has(DesiredState),
  };
}

function amounts({ NanoCPUs = 0, MemoryBytes = 0 }: AmountsAnswer = {}): Amounts {
  return { nanoCpus: NanoCPUs, memoryBytes: MemoryBytes };
}
