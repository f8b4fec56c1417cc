import { getObject, listObjects } from '#adapters/kubernetes/objects.ts';
import { PODS } from '#adapters/kubernetes/pod-logs.ts';
import type { Place, SessionTarget } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { keptPod } from '#core/kubernetes/pod-health.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import { listAt, fieldsOf, textAt } from '#core/kubernetes/status-fields.ts';
import type { OwnerKey } from '#core/owner.ts';
import { displayKey } from '#core/present/display.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';

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
    .filter(({ pod }) => pod.owner === workload || isOfCronJob(pod, workload))
    .toSorted((one, other) => other.pod.createdAt - one.pod.createdAt);
}

/** Its Jobs have its name and the minute. */
function isOfCronJob({ owner }: KeptPod, workload: ResourceKey): boolean {
  const [kind, namespace, name] = workload.split('/');
  if (kind !== 'CronJob') return false;
  const prefix = `Job/${namespace}/${name}-`;
  return owner.startsWith(prefix) && /^\d+$/.test(owner.slice(prefix.length));
}

function found(object: LiveObject): PodFound {
  const containers = listAt(fieldsOf(object['spec']), 'containers');
  return { pod: keptPod(object), containers: containers.map((each) => textAt(each, 'name')) };
}

/** A running container of the workload. */
export async function locatePod(
  context: KubernetesContext,
  target: SessionTarget,
  ownerOf: (key: ResourceKey) => OwnerKey | undefined,
  signal: AbortSignal,
): Promise<Place> {
  const pods = await podsOf(context, target, signal);
  const running = pods.filter(({ pod }) => pod.containers.some(({ state }) => state === 'running'));
  const chosen = running.find(({ pod }) => pod.ready) ?? running[0];
  const { namespace, workload } = target;
  const owner = ownerOf(chosen?.pod.owner ?? workload) ?? ownerOf(workload);
  if (chosen === undefined || owner === undefined)
    throw new UserError('not-found', `nothing of ${displayKey(workload)} runs`, {
      hint: '`windlass status` lists what there is; -n names another namespace',
    });
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
