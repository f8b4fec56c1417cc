import { getObject, listObjects } from '#adapters/kubernetes/objects.ts';
import { PODS } from '#adapters/kubernetes/pod-logs.ts';
import type { ContainerStatus, Place, SessionTarget } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { cronJobOf } from '#core/kubernetes/cron-job.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { keptPod } from '#core/kubernetes/pod-health.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import { podPort, podSelector } from '#core/kubernetes/service-port.ts';
import { listAt, fieldsOf, textAt } from '#core/kubernetes/status-fields.ts';
import type { OwnerKey } from '#core/owner.ts';
import { displayKey } from '#core/present/display.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';

const SERVICES: ApiKind = { ...PODS, kind: 'Service', plural: 'services' };

/** A pod with the names of its containers. */
export interface PodFound {
  pod: KeptPod;
  /** Those that go on running; init containers are not among them. */
  containers: string[];
}

/** The pods of a workload, or the one that is named, the newest first. */
export async function podsOf(
  { client }: KubernetesContext,
  { namespace, workload }: Pick<SessionTarget, 'namespace' | 'workload'>,
  signal: AbortSignal,
): Promise<PodFound[]> {
  const [kind = '', , name = ''] = workload.split('/');
  if (kind === 'Pod') {
    const object = await getObject(client, PODS, { namespace, name }, signal);
    return object === undefined ? [] : [found(object)];
  }
  const pods = await listObjects(client, PODS, { namespace }, signal);
  return pods
    .map(found)
    .filter(({ pod: { owner } }) => owner === workload || cronJobOf(owner) === workload)
    .toSorted((one, other) => other.pod.createdAt - one.pod.createdAt);
}

function found(object: LiveObject): PodFound {
  const containers = listAt(fieldsOf(object['spec']), 'containers');
  return { pod: keptPod(object), containers: containers.map((each) => textAt(each, 'name')) };
}

type OwnerOf = (key: ResourceKey) => OwnerKey | undefined;

/** A running container of the workload. */
export async function locatePod(
  context: KubernetesContext,
  target: SessionTarget,
  ownerOf: OwnerOf,
  signal: AbortSignal,
): Promise<Place> {
  const { namespace, workload } = target;
  const { chosen, owner } = await choosePod(context, target, ownerOf, signal);
  const [first = '', ...others] = chosen.containers;
  const container = target.container ?? (others.length === 0 ? first : undefined);
  const choices = chosen.containers.join(', ');
  if (container === undefined)
    throw new UserError('invalid-input', `${chosen.pod.name} has several containers`, {
      hint: `name one: ${choices}`,
    });
  if (!chosen.pod.containers.some(({ name }) => name === container))
    throw new UserError('not-found', `${chosen.pod.name} has no container ${container}`, {
      hint: `it has ${choices}`,
    });
  return { namespace, pod: chosen.pod.name, container, owner, resource: workload };
}

/** A running pod of the workload, and the port that is meant: of a Service one of its pods, and where it leads there. */
export async function locatePort(
  context: KubernetesContext,
  target: SessionTarget,
  port: number,
  ownerOf: OwnerOf,
  signal: AbortSignal,
): Promise<{ namespace: string; pod: string; port: number }> {
  const { namespace, workload } = target;
  const [kind = '', , name = ''] = workload.split('/');
  if (kind !== 'Service') {
    const { chosen } = await choosePod(context, target, ownerOf, signal);
    return { namespace, pod: chosen.pod.name, port };
  }
  const { client } = context;
  const service =
    ownerOf(workload) === undefined
      ? undefined
      : await getObject(client, SERVICES, { namespace, name }, signal);
  if (service === undefined) throw notFound(`there is no ${displayKey(workload)}`);
  const labelSelector = podSelector(service);
  const pods = await listObjects(client, PODS, { namespace, labelSelector }, signal);
  const chosen = runningOf(pods, (object) => keptPod(object));
  if (chosen === undefined) throw notFound(`no pod of ${displayKey(workload)} runs`);
  return { namespace, pod: chosen.metadata.name, port: podPort(service, port, chosen) };
}

async function choosePod(
  context: KubernetesContext,
  { namespace, workload }: SessionTarget,
  ownerOf: OwnerOf,
  signal: AbortSignal,
): Promise<{ chosen: PodFound; owner: OwnerKey }> {
  const pods = await podsOf(context, { namespace, workload }, signal);
  const chosen = runningOf(pods, ({ pod }) => pod);
  const owner = ownerOf(chosen?.pod.owner ?? workload) ?? ownerOf(workload);
  if (chosen === undefined || owner === undefined)
    throw notFound(`nothing of ${displayKey(workload)} runs`);
  return { chosen, owner };
}

/** A ready one before others, and one of which something is told as running before one that is only being started. */
function runningOf<T>(all: readonly T[], podOf: (each: T) => KeptPod): T | undefined {
  const running = all.filter((each) =>
    podOf(each).containers.some(({ state }) => state === 'running'),
  );
  return (
    running.find((each) => podOf(each).ready) ??
    running[0] ??
    all.find((each) => podOf(each).containers.some(mayRun))
  );
}

/** Until its postStart hook has ended a container that runs is told as one that is being made. */
function mayRun({ state, reason }: ContainerStatus): boolean {
  return state === 'waiting' && (reason === 'ContainerCreating' || reason === 'PodInitializing');
}

function notFound(what: string): UserError {
  return new UserError('not-found', what, {
    hint: '`windlass status` lists what there is; -n names another namespace',
  });
}
