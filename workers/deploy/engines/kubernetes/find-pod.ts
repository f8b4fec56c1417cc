import pMap from 'p-map';
import { getObject, listObjects } from '#adapters/kubernetes/objects.ts';
import { PODS } from '#adapters/kubernetes/pod-logs.ts';
import type { FoundContainer } from '#core/engine.ts';
import { keyOfId, parseRefId } from '#core/kubernetes/api-kind.ts';
import type { Inventory } from '#core/kubernetes/inventory.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { cronJobOf } from '#core/kubernetes/cron-job.ts';
import { imagesOf } from '#core/kubernetes/made-from.ts';
import { keptPod } from '#core/kubernetes/pod-health.ts';
import { fieldsOf, listAt, textAt } from '#core/kubernetes/status-fields.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';

const AT_ONCE = 4;
/** Of the id of a container, as displays shorten it. */
const ID = /^[0-9a-f]{6,64}$/;

/** The container with that id, or the beginning of one; else the first of the pod with that name. Only of our workloads. */
export async function findPod(
  { client }: KubernetesContext,
  inventories: readonly Inventory[],
  reference: string,
  signal: AbortSignal,
): Promise<FoundContainer | undefined> {
  const owners = ownersIn(inventories);
  const namespaces = new Set(
    inventories.flatMap(({ entries }) =>
      Object.keys(entries).map((id) => parseRefId(id).namespace),
    ),
  );
  const found = await pMap(
    [...namespaces].filter((each) => each !== ''),
    async (namespace) => {
      const pod = await getObject(client, PODS, { namespace, name: reference }, signal);
      if (pod !== undefined) return foundIn(pod, owners, () => true);
      if (!ID.test(reference)) return undefined;
      const pods = await listObjects(client, PODS, { namespace }, signal);
      return pods.flatMap((each) => foundIn(each, owners, isIt) ?? [])[0];
    },
    { concurrency: AT_ONCE, signal },
  );
  return found.find((each) => each !== undefined);

  function isIt(id: string): boolean {
    return id.startsWith(reference);
  }
}

function foundIn(
  pod: LiveObject,
  owners: ReadonlyMap<ResourceKey, OwnerKey>,
  isIt: (id: string) => boolean,
): FoundContainer | undefined {
  const { name, owner: keeper, createdAt, containers, uid } = keptPod(pod);
  const resource = owners.has(keeper) ? keeper : cronJobOf(keeper);
  const owner = resource === undefined ? undefined : owners.get(resource);
  if (resource === undefined || owner === undefined) return undefined;
  const spec = fieldsOf(pod['spec']);
  const ids = idsOf(pod);
  for (const each of [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')]) {
    const container = textAt(each, 'name');
    // One that has not been started has none.
    const id = ids.get(container) ?? uid;
    if (!isIt(id)) continue;
    return {
      id,
      name: container,
      image: textAt(each, 'image'),
      state: containers.find((status) => status.name === container)?.state ?? 'waiting',
      createdAt,
      role: 'container',
      owner,
      resource,
      pod: name,
      made: { images: imagesOf(spec), at: createdAt },
    };
  }
  return undefined;
}

/** By container, without what the runtime is called: `containerd://3f2a…`. */
function idsOf(pod: LiveObject): Map<string, string> {
  const status = fieldsOf(pod['status']);
  const all = [...listAt(status, 'containerStatuses'), ...listAt(status, 'initContainerStatuses')];
  return new Map(
    all.flatMap((each) => {
      const [, id] = textAt(each, 'containerID').split('://');
      return id === undefined ? [] : [[textAt(each, 'name'), id] as const];
    }),
  );
}

function ownersIn(inventories: readonly Inventory[]): Map<ResourceKey, OwnerKey> {
  return new Map(
    inventories.flatMap(({ owner, entries }) =>
      Object.keys(entries).map((id) => [keyOfId(id), owner] as const),
    ),
  );
}
