import type Docker from 'dockerode';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { FoundContainer, Place, SessionTarget } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import { MARK } from '#core/swarm/marks.ts';
import { agrees } from '../docker/marks.ts';
import type { SwarmContext } from './context.ts';
import { serverName } from './listed.ts';
import type { ListedNode, ListedService, ListedTask } from './listed.ts';
import { filterOurs, podNameOf, tasksOf } from './observe.ts';
import type { Connect } from './server-proxies.ts';

/** A task with what its labels say. */
export interface NamedTask {
  /** As its pod is called. */
  name: string;
  task: ListedTask;
  labels: Record<string, string>;
}

/** Tasks of the workload, of whichever of its services, or of the pod, whatever their state; newest first. */
export async function listTasks(
  context: SwarmContext,
  { namespace, workload }: Pick<SessionTarget, 'namespace' | 'workload'>,
  signal: AbortSignal,
): Promise<NamedTask[]> {
  const [kind, , name = ''] = workload.split('/');
  const isPod = kind === 'Pod';
  const query = { filters: filterOurs(context) };
  const services = await callDocker<ListedService[]>(context.docker, {
    method: 'GET',
    path: '/services',
    query,
    signal,
  });
  const names = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const tasks = await tasksOf(context, new Set(names.keys()), signal);
  return tasks
    .map((task) => named(task, names.get(task.ServiceID) ?? ''))
    .filter(({ labels }) => labels[MARK.namespace] === namespace)
    .filter((each) => (isPod ? each.name === name : each.labels[MARK.resource] === workload))
    .toSorted((one, other) => (one.task.CreatedAt < other.task.CreatedAt ? 1 : -1));
}

function named(task: ListedTask, service: string): NamedTask {
  return {
    name: podNameOf(task, service),
    task,
    labels: task.Spec.ContainerSpec?.Labels ?? {},
  };
}

/** A task of the workload or pod whose container runs. */
export async function locateTask(
  context: SwarmContext,
  target: SessionTarget,
  signal: AbortSignal,
): Promise<NamedTask & { place: Place }> {
  const tasks = await listTasks(context, target, signal);
  const [found] = tasks
    .filter(({ task }) => task.DesiredState === 'running' && hasContainer(task))
    .toSorted(
      (one, other) => startsAfter(one) - startsAfter(other) || (one.name < other.name ? -1 : 1),
    );
  if (found === undefined)
    throw new UserError('not-found', `no container of ${displayKey(target.workload)} runs`, {
      hint: '`windlass status` lists what runs; -n names another namespace',
    });
  const container = found.labels[MARK.container] ?? '';
  if (target.container !== undefined && target.container !== container)
    throw new UserError(
      'not-found',
      `${displayKey(target.workload)} runs no container ${target.container}`,
      { hint: `it runs ${container}` },
    );
  const place = {
    namespace: target.namespace,
    pod: found.name,
    container,
    owner: found.labels[MARK.owner] ?? '',
    resource: found.labels[MARK.resource] ?? '',
  };
  return { ...found, place };
}

/** To Swarm a task starts until its health check has succeeded. */
function hasContainer({ Status: { State, ContainerStatus } }: ListedTask): boolean {
  return (
    State === 'running' || (State === 'starting' && ContainerStatus?.ContainerID !== undefined)
  );
}

function startsAfter({ task }: NamedTask): number {
  return Number(task.Status.State !== 'running');
}

/** The container of a task, and the Docker of the server that it is on. */
export async function containerOf(
  context: SwarmContext,
  task: ListedTask,
  connect: Connect | undefined,
  signal: AbortSignal,
): Promise<{ docker: Docker; container: string }> {
  const container = task.Status.ContainerStatus?.ContainerID ?? '';
  if (connect === undefined) return { docker: context.docker, container };
  const path = `/nodes/${task.NodeID}`;
  const node = await callDocker<ListedNode>(context.docker, { method: 'GET', path, signal });
  const name = serverName(node);
  const docker = connect(name);
  if (docker !== undefined) return { docker, container };
  throw new UserError('unavailable', `Docker on server ${name} does not answer`, {
    transient: true,
    hint: '`windlass status` tells how its server is',
  });
}

/** By the id of its container, the beginning of one, or the name or id of the task. Only ours. */
export async function findTask(
  context: SwarmContext,
  reference: string,
  signal: AbortSignal,
): Promise<FoundContainer | undefined> {
  const query = { filters: filterOurs(context) };
  const services = await callDocker<ListedService[]>(context.docker, {
    method: 'GET',
    path: '/services',
    query,
    signal,
  });
  const names = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const id = reference.split('.').at(-1) ?? '';
  const byId = await inspectTask(context, id, signal);
  const tasks =
    byId === undefined
      ? await callDocker<ListedTask[]>(context.docker, { method: 'GET', path: '/tasks', signal })
      : [byId];
  const found = tasks.find(
    (task) =>
      names.has(task.ServiceID) &&
      (task.ID === id ||
        (reference.length >= SHORTEST_ID &&
          task.Status.ContainerStatus?.ContainerID?.startsWith(reference) === true)),
  );
  if (found === undefined) return undefined;
  const { name, labels } = named(found, names.get(found.ServiceID) ?? '');
  const ours = { [MARK.installation]: context.installation, [MARK.cluster]: context.cluster };
  if (!agrees(labels, ours)) return undefined;
  const { [MARK.owner]: owner, [MARK.resource]: resource, [MARK.template]: template } = labels;
  return {
    id: found.Status.ContainerStatus?.ContainerID ?? '',
    name,
    image: found.Spec.ContainerSpec?.Image ?? '',
    state: found.Status.State,
    createdAt: Date.parse(found.CreatedAt),
    role: 'container',
    pod: name,
    ...(owner === undefined ? {} : { owner }),
    ...(resource === undefined ? {} : { resource }),
    ...(template === undefined ? {} : { template }),
  };
}

const SHORTEST_ID = 4;

async function inspectTask(
  context: SwarmContext,
  id: string,
  signal: AbortSignal,
): Promise<ListedTask | undefined> {
  const path = `/tasks/${encodeURIComponent(id)}`;
  try {
    return await callDocker<ListedTask>(context.docker, { method: 'GET', path, signal });
  } catch (error) {
    if (isStatus(error, 404) || isStatus(error, 400)) return undefined;
    throw error;
  }
}
