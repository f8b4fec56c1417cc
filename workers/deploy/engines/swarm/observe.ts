import { callDocker } from '#adapters/docker/call.ts';
import type { CronState } from '#core/docker/cron-state.ts';
import type { SetState } from '#core/docker/set-state.ts';
import type { Resource } from '#core/resources/resource.ts';
import { MARK } from '#core/swarm/marks.ts';
import { lacksImage } from '#core/swarm/task-words.ts';
import { claimVolume, recordName, serviceName } from '#core/swarm/names.ts';
import type {
  LiveFile,
  LiveService,
  LiveTask,
  SwarmClaim,
  SwarmRecord,
  SwarmWorld,
  TaskPod,
  TaskState,
} from '#core/swarm/world.ts';
import type { SwarmContext } from './context.ts';
import type { SwarmNetwork } from './network.ts';
import { readNodes } from './read-fleet.ts';
import type {
  ListedContainerSpec,
  ListedFile,
  ListedService,
  ListedServiceSpec,
  ListedTask,
} from './listed.ts';

/** What is known beside what Swarm tells. */
export interface Seen {
  proxies: SwarmWorld['proxies'];
  certificates: NonNullable<SwarmWorld['certificates']>;
  ingressPorts: SwarmWorld['ingressPorts'];
  headerKb: number;
  /** How certificates stand that are asked for in these records. */
  acmeOf: (records: readonly SwarmRecord[]) => Promise<SwarmWorld['acme'] & object>;
  /** What the registry says of the image of a task's template that a server could not pull. */
  pullReasonOf: (template: string) => string | undefined;
  readinessOf: (tasks: readonly ListedTask[]) => ReadonlyMap<string, LiveTask['readiness']>;
  /** Of tasks that probes ended, or that wait for theirs, what those found. */
  probedOf: (
    tasks: readonly ListedTask[],
    nodes: SwarmWorld['nodes'],
  ) => ReadonlyMap<string, LiveTask['probed']>;
  /** Claims of nodes that there are no more, with where their volumes came back. */
  findMoved: (claims: readonly SwarmClaim[], nodes: SwarmWorld['nodes']) => Promise<SwarmClaim[]>;
}

/** The world, and where Swarm keeps what `carryOut` writes. */
export interface Observed {
  world: SwarmWorld;
  /** By the name of the resource's record. */
  records: Map<string, { id: string; version: number }>;
  /** Ids of configs and secrets by their names. */
  fileIds: Map<string, string>;
  tasks: ListedTask[];
}

/** What configs say in their labels. */
const STORED = ['record', 'claim'];

/** Before there is a network, for a plan. */
const NO_RANGE = { first: '10.88.128.2', size: 32_000 };

export async function observe(
  context: SwarmContext,
  network: SwarmNetwork | undefined,
  { readinessOf, probedOf, pullReasonOf, acmeOf, findMoved, ...seen }: Seen,
  signal: AbortSignal,
): Promise<Observed> {
  const [configs, secrets, services, nodes] = await Promise.all([
    list<ListedFile>(context, '/configs', signal),
    list<ListedFile>(context, '/secrets', signal),
    list<ListedService>(context, '/services', signal),
    readNodes(context, signal),
  ]);
  const ours = services.flatMap((service) => readService(context, service));
  const tasks = await tasksOf(context, new Set(ours.map(({ id }) => id)), signal);
  const readiness = readinessOf(tasks);
  const found = probedOf(tasks, nodes);
  const names = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const stored = configs.filter(({ Spec }) => STORED.includes(Spec.Labels?.[MARK.role] ?? ''));
  const claims = configs.flatMap((config) => readClaim(context, config));
  const files = [...readFiles(configs, 'config'), ...readFiles(secrets, 'secret')];
  const records = stored.flatMap((config) => readRecord(context, config));
  return {
    world: {
      ...seen,
      records,
      acme: await acmeOf(records),
      services: ours,
      tasks: withReasons(
        tasks.map((task) => {
          const ready = readiness.get(task.ID);
          const probed = found.get(task.ID);
          return {
            ...readTask(task, names.get(task.ServiceID) ?? '', network?.id, nodes),
            ...(ready === undefined ? {} : { readiness: ready }),
            ...(probed === undefined ? {} : { probed }),
          };
        }),
        pullReasonOf,
      ),
      files,
      nodes,
      claims: await findMoved(claims, nodes),
      networkId: network?.id ?? '',
      nameServers: network === undefined ? [] : [network.systemIp],
      serviceRange: network?.serviceRange ?? NO_RANGE,
    },
    records: new Map(
      stored.map(({ ID, Version, Spec }) => [Spec.Name, { id: ID, version: Version.Index }]),
    ),
    fileIds: new Map(files.map(({ name, id }) => [name, id])),
    tasks,
  };
}

/** Of images that could not be pulled, with what their registries say. */
function withReasons(tasks: readonly LiveTask[], reasonOf: Seen['pullReasonOf']): LiveTask[] {
  return tasks.map((task) => {
    const reason = lacksImage(task, tasks) ? reasonOf(task.templateHash) : undefined;
    return reason === undefined ? task : { ...task, error: `${task.error}: ${reason}` };
  });
}

/** Everything of this cluster. */
export function filterOurs(
  context: SwarmContext,
  more: Readonly<Record<string, string>> = {},
): string {
  const labels = {
    [MARK.installation]: context.installation,
    [MARK.cluster]: context.cluster,
    ...more,
  };
  return JSON.stringify({
    label: Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  });
}

async function list<T>(context: SwarmContext, path: string, signal: AbortSignal): Promise<T[]> {
  const query = { filters: filterOurs(context) };
  return (
    (await callDocker<T[] | null>(context.docker, { method: 'GET', path, query, signal })) ?? []
  );
}

/** Not by a filter: Docker refuses one that names a service which somebody removes meanwhile. */
export async function tasksOf(
  context: SwarmContext,
  services: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ListedTask[]> {
  if (services.size === 0) return [];
  const request = { method: 'GET', path: '/tasks', signal } as const;
  const tasks = (await callDocker<ListedTask[] | null>(context.docker, request)) ?? [];
  return tasks.filter(({ ServiceID }) => services.has(ServiceID));
}

/** A record counts only under the name that its resource gives it. */
function readRecord(context: SwarmContext, { Spec }: ListedFile): SwarmRecord[] {
  const labels = Spec.Labels ?? {};
  const key = labels[MARK.resource] ?? '';
  if (Spec.Name !== recordName(context, key)) return [];
  const { [MARK.tried]: tried, [MARK.done]: done, [MARK.clusterIp]: clusterIp } = labels;
  const { [MARK.nodePorts]: nodePorts, [MARK.failed]: failed } = labels;
  const { [MARK.cron]: cron, [MARK.set]: set } = labels;
  return [
    {
      key,
      owner: labels[MARK.owner] ?? '',
      resource: JSON.parse(labels[MARK.recorded] ?? '{}') as Resource,
      recordedAt: Number(labels[MARK.recordedAt]),
      ...(tried === undefined ? {} : { tried }),
      ...(done === undefined ? {} : { done }),
      ...(failed === undefined
        ? {}
        : { failed: JSON.parse(failed) as { run: string; why: string } }),
      ...(cron === undefined ? {} : { cron: JSON.parse(cron) as CronState }),
      ...(set === undefined ? {} : { set: JSON.parse(set) as SetState }),
      ...(clusterIp === undefined ? {} : { clusterIp }),
      ...(nodePorts === undefined
        ? {}
        : { nodePorts: JSON.parse(nodePorts) as Record<string, number> }),
      ...(labels[MARK.held] === undefined ? {} : { held: true }),
    },
  ];
}

/** Counts only under the name that the claim gives it. */
function readClaim(context: SwarmContext, { Spec }: ListedFile): SwarmClaim[] {
  const {
    [MARK.namespace]: namespace = '',
    [MARK.claim]: name = '',
    ...labels
  } = Spec.Labels ?? {};
  const { [MARK.owner]: owner = '', [MARK.node]: node = '', [MARK.server]: server = '' } = labels;
  const isOne =
    labels[MARK.role] === 'claim' && Spec.Name === claimVolume(context, { namespace, name });
  return isOne ? [{ name, namespace, owner, node, server }] : [];
}

function readService(context: SwarmContext, service: ListedService): LiveService[] {
  const { ID, Version, Spec, PreviousSpec, UpdateStatus, CreatedAt, UpdatedAt } = service;
  const labels = Spec.Labels ?? {};
  const key = labels[MARK.resource] ?? '';
  const part = labels[MARK.part] ?? '';
  if (Spec.Name !== serviceName(context, key, part)) return [];
  const run = labels[MARK.run];
  const files = [Spec, ...(PreviousSpec === undefined ? [] : [PreviousSpec])].flatMap(filesIn);
  return [
    {
      id: ID,
      version: Version.Index,
      key,
      part,
      owner: labels[MARK.owner] ?? '',
      spec: Spec,
      files: [...new Set(files)],
      ...(run === undefined ? {} : { run }),
      ...(UpdateStatus?.State === undefined
        ? {}
        : { update: { state: UpdateStatus.State, message: UpdateStatus.Message ?? '' } }),
      createdAt: Date.parse(CreatedAt),
      updatedAt: Date.parse(UpdatedAt),
    },
  ];
}

function filesIn({ TaskTemplate }: ListedServiceSpec): string[] {
  const { Configs, Secrets }: ListedContainerSpec = TaskTemplate.ContainerSpec ?? {};
  return [
    ...(Configs ?? []).map(({ ConfigName }) => ConfigName),
    ...(Secrets ?? []).map(({ SecretName }) => SecretName),
  ];
}

function readFiles(listed: readonly ListedFile[], kind: LiveFile['kind']): LiveFile[] {
  return listed
    .filter(({ Spec }) => Spec.Labels?.[MARK.role] === 'file')
    .map(({ ID, Spec }) => ({
      id: ID,
      kind,
      name: Spec.Name,
      owner: Spec.Labels?.[MARK.owner] ?? '',
    }));
}

function podIn(labels: Record<string, string>): TaskPod {
  const { labels: own = {} } = JSON.parse(labels[MARK.podLabels] ?? '{}') as {
    labels?: Record<string, string>;
  };
  return {
    namespace: labels[MARK.namespace] ?? '',
    container: labels[MARK.container] ?? '',
    keeper: labels[MARK.resource] ?? '',
    owner: labels[MARK.owner] ?? '',
    labels: own,
    ports: JSON.parse(labels[MARK.ports] ?? '{}') as Record<string, number>,
    ...(labels[MARK.published] === undefined ? {} : { published: labels[MARK.published] }),
  };
}

/** The name that a StatefulSet gives its pod; else that of the task. */
export function podNameOf(task: ListedTask, service: string): string {
  const own = task.Spec.ContainerSpec?.Labels?.[MARK.pod];
  return own ?? `${service}.${slotOf(task)}.${task.ID}`;
}

function slotOf({ Slot = 0, NodeID = '' }: ListedTask): string {
  return Slot === 0 ? NodeID : String(Slot);
}

/** On the cluster's network. */
export function addressOf(
  { NetworksAttachments }: ListedTask,
  networkId: string | undefined,
): string | undefined {
  const found = (NetworksAttachments ?? []).find(({ Network }) => Network.ID === networkId);
  return found?.Addresses?.[0]?.split('/')[0];
}

function readTask(
  task: ListedTask,
  service: string,
  networkId: string | undefined,
  nodes: SwarmWorld['nodes'],
): LiveTask {
  const { ID, Status } = task;
  const exitCode = Status.ContainerStatus?.ExitCode;
  const ip = addressOf(task, networkId);
  const lost = nodes.find(({ id, state }) => id === task.NodeID && state === 'down');
  return {
    id: ID,
    service: task.ServiceID,
    name: podNameOf(task, service),
    slot: slotOf(task),
    templateHash: task.Spec.ContainerSpec?.Labels?.[MARK.templateHash] ?? '',
    state: Status.State as TaskState,
    desired: task.DesiredState as TaskState,
    createdAt: Date.parse(task.CreatedAt),
    at: Date.parse(Status.Timestamp),
    message: Status.Message ?? '',
    ...(task.NodeID === undefined || task.NodeID === '' ? {} : { node: task.NodeID }),
    error: Status.Err ?? '',
    pod: podIn(task.Spec.ContainerSpec?.Labels ?? {}),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(lost === undefined ? {} : { lostWith: lost.server }),
    ...(ip === undefined ? {} : { ip }),
  };
}
