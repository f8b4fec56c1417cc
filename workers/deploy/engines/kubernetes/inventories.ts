import { createHash } from 'node:crypto';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import { applyObject, getObject } from '#adapters/kubernetes/objects.ts';
import { canonicalJson } from '#core/hash.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { HookRecord } from '#core/kubernetes/hook-record.ts';
import { inventoryData, isSameInventory, readInventory } from '#core/kubernetes/inventory.ts';
import type { Entries, Inventory } from '#core/kubernetes/inventory.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { FIELD_MANAGER } from '#core/kubernetes/marks.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { KubernetesContext } from './context.ts';
import { startWatch } from './watched.ts';

/** Where the inventories are. */
const NAMESPACE = 'windlass';
const LABEL = 'windlass.dev/inventory';

const CONFIG_MAPS: ApiKind = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  verbs: [],
};
const NAMESPACES: ApiKind = {
  ...CONFIG_MAPS,
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};

interface KeptInventory extends Inventory {
  uid: string;
  resourceVersion: string;
}

/** What every owner of this installation has on the cluster, kept there. */
export interface Inventories {
  ready(signal: AbortSignal): Promise<void>;
  all(): Inventory[];
  entriesOf(owner: OwnerKey): Entries;
  hooksOf(owner: OwnerKey): HookRecord | undefined;
  /**
   * Writes it where it says something else than before; without entries it is removed.
   *
   * @throws ApiError 409 where another controller has written it meanwhile
   */
  write(inventory: Inventory, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createInventories(
  context: KubernetesContext,
  onNews: (what: string) => void,
): Inventories {
  const { client, installation, cluster } = context;
  const mark = createHash('sha256').update(`${installation}/${cluster}`).digest('hex').slice(0, 12);
  const watched = startWatch<KeptInventory>(context, {
    kind: CONFIG_MAPS,
    scope: { namespace: NAMESPACE, labelSelector: `${LABEL}=${mark}` },
    idOf: ({ metadata }) => metadata.name,
    keep: (object) => ({
      ...readInventory(object.metadata.name, object['data'] as Record<string, string>),
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
    }),
    isNews: (before, after) => before?.resourceVersion !== after?.resourceVersion,
    onNews,
  });

  function nameOf(owner: OwnerKey): string {
    const hash = createHash('sha256').update(owner).digest('hex').slice(0, 12);
    return `${mark}-${hash}`;
  }

  async function ensureNamespace(signal: AbortSignal): Promise<void> {
    const there = await getObject(client, NAMESPACES, { namespace: '', name: NAMESPACE }, signal);
    if (there !== undefined) return;
    const resource = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
    await applyObject(client, NAMESPACES, resource, { fieldManager: FIELD_MANAGER }, signal);
  }

  async function put(inventory: Inventory, signal: AbortSignal): Promise<void> {
    const name = nameOf(inventory.owner);
    const before = watched.get(name);
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: NAMESPACE,
        labels: { [LABEL]: mark },
        ...(before === undefined ? {} : { resourceVersion: before.resourceVersion }),
      },
      data: inventoryData(inventory),
    };
    const isNew = before === undefined;
    const { body } = await client.call<LiveObject>(
      {
        method: isNew ? 'POST' : 'PUT',
        path: pathOf(CONFIG_MAPS, NAMESPACE, isNew ? '' : name),
        query: { fieldManager: FIELD_MANAGER },
        body: object,
      },
      signal,
    );
    watched.put(body);
  }

  return {
    ready: (signal) => watched.ready(signal),
    all: () => [...watched.all()],
    entriesOf: (owner) => watched.get(nameOf(owner))?.entries ?? {},
    hooksOf: (owner) => watched.get(nameOf(owner))?.hooks,
    async write(inventory, signal) {
      const before = watched.get(nameOf(inventory.owner));
      const { entries, hooks } = inventory;
      const isSame =
        isSameInventory(before?.entries ?? {}, entries) &&
        canonicalJson(before?.hooks ?? {}) === canonicalJson(hooks ?? {});
      if (isSame) return;
      if (Object.keys(entries).length === 0 && hooks === undefined) {
        await remove(before, nameOf(inventory.owner), signal);
        return;
      }
      try {
        await put(inventory, signal);
      } catch (error) {
        if (!isApiStatus(error, 404)) throw error;
        await ensureNamespace(signal);
        await put(inventory, signal);
      }
    },
    close: () => watched.close(),
  };

  async function remove(
    before: KeptInventory | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (before === undefined) return;
    const { uid, resourceVersion } = before;
    const body = { preconditions: { uid, resourceVersion } };
    await client.call(
      { method: 'DELETE', path: pathOf(CONFIG_MAPS, NAMESPACE, name), body },
      signal,
    );
    watched.drop(name, uid);
  }
}
