import { setTimeout as sleep } from 'node:timers/promises';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { listObjects } from '#adapters/kubernetes/objects.ts';
import { PODS } from '#adapters/kubernetes/pod-logs.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { MARK } from '#core/kubernetes/marks.ts';

const GONE_MS = 90_000;
const POLL_MS = 200;
const NEVER = new AbortController().signal;
/** Where the engine keeps inventories. */
const INVENTORIES = 'windlass';

const CORE = { group: '', version: 'v1', verbs: [] };
const NAMESPACES = { ...CORE, kind: 'Namespace', plural: 'namespaces', namespaced: false };
const CONFIG_MAPS = { ...CORE, kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const DEFINITIONS: ApiKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
  verbs: [],
};

/** A suite on a cluster that is somebody's: what it makes goes with it, also when a test has failed. */
export interface ClusterGuest {
  /** It is there; others whose names begin with it are the guest's, too. */
  namespace: string;
  /** Of CustomResourceDefinitions. */
  group: string;
  leave(): Promise<void>;
}

/** `isOwner`: whose inventories and namespaces are the guest's besides; of the id's alone when it is left out. */
export async function enterCluster(
  hand: KubeClient,
  id: string,
  isOwner: (owner: string) => boolean = (owner) => owner.startsWith(`${id}/`),
): Promise<ClusterGuest> {
  const namespace = `windlass-test-${id}`;
  const group = `test-${id}.windlass.dev`;
  const hadInventories = await isThere(hand, NAMESPACES, INVENTORIES);
  await makeNamespace(hand, namespace);
  // Rights to it can be given before an engine makes it.
  if (!hadInventories) await makeNamespace(hand, INVENTORIES);

  async function leave(): Promise<void> {
    const all = await listObjects(hand, NAMESPACES, {}, NEVER);
    const own = all
      .filter(({ metadata: { name, annotations = {} } }) => {
        const [owner = ''] = (annotations[MARK.owner] ?? '').split(':');
        return name.startsWith(namespace) || isOwner(owner);
      })
      .map(({ metadata }) => metadata.name);
    await Promise.all(own.map((name) => free(hand, name)));
    const defined = await listObjects(hand, DEFINITIONS, {}, NEVER);
    const areLeft = await removeInventories(hand, isOwner);
    const gone = [
      ...own.map((name) => [NAMESPACES, name] as const),
      ...defined
        .map(({ metadata }) => metadata.name)
        .filter((name) => name.endsWith(`.${group}`))
        .map((name) => [DEFINITIONS, name] as const),
      // Somebody else may have come to use it.
      ...(hadInventories || areLeft ? [] : [[NAMESPACES, INVENTORIES] as const]),
    ];
    await Promise.all(gone.map(([kind, name]) => remove(hand, kind, name)));
    await Promise.all(own.map((name) => endPods(hand, name)));
    await Promise.all(gone.map(([kind, name]) => untilGone(hand, kind, name)));
  }

  return { namespace, group, leave };
}

async function makeNamespace(hand: KubeClient, name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await hand.call({ method: 'POST', path: pathOf(NAMESPACES), body }, NEVER);
}

/** Nothing in it waits for a finalizer of a test any more. */
async function free(hand: KubeClient, namespace: string): Promise<void> {
  for (const { metadata } of await listObjects(hand, CONFIG_MAPS, { namespace }, NEVER)) {
    if ((metadata.finalizers ?? []).length === 0) continue;
    const path = pathOf(CONFIG_MAPS, namespace, metadata.name);
    const contentType = 'application/merge-patch+json';
    const body = { metadata: { finalizers: null } };
    await hand.call({ method: 'PATCH', path, contentType, body }, NEVER);
  }
}

/** Whether there are others'. */
async function removeInventories(
  hand: KubeClient,
  isOwner: (owner: string) => boolean,
): Promise<boolean> {
  const scope = { namespace: INVENTORIES, labelSelector: 'windlass.dev/inventory' };
  let areLeft = false;
  for (const object of await listObjects(hand, CONFIG_MAPS, scope, NEVER)) {
    const { owner = '' } = (object['data'] ?? {}) as { owner?: string };
    const path = pathOf(CONFIG_MAPS, INVENTORIES, object.metadata.name);
    if (isOwner(owner)) await hand.call({ method: 'DELETE', path }, NEVER);
    else areLeft = true;
  }
  return areLeft;
}

/** At once: a pod may have minutes to end. None is made again in a namespace that goes. */
async function endPods(hand: KubeClient, namespace: string): Promise<void> {
  const body = { gracePeriodSeconds: 0 };
  try {
    await hand.call({ method: 'DELETE', path: pathOf(PODS, namespace), body }, NEVER);
  } catch (error) {
    if (!isApiStatus(error, 404)) throw error;
  }
}

async function remove(hand: KubeClient, kind: ApiKind, name: string): Promise<void> {
  try {
    await hand.call({ method: 'DELETE', path: pathOf(kind, '', name) }, NEVER);
  } catch (error) {
    // It is gone, or going.
    if (!isApiStatus(error, 404) && !isApiStatus(error, 409)) throw error;
  }
}

async function untilGone(hand: KubeClient, kind: ApiKind, name: string): Promise<void> {
  const end = Date.now() + GONE_MS;
  while (await isThere(hand, kind, name)) {
    if (Date.now() > end) throw new Error(`${kind.kind} ${name} does not go`);
    await sleep(POLL_MS);
  }
}

async function isThere(hand: KubeClient, kind: ApiKind, name: string): Promise<boolean> {
  try {
    await hand.call({ method: 'GET', path: pathOf(kind, '', name) }, NEVER);
    return true;
  } catch (error) {
    if (isApiStatus(error, 404)) return false;
    throw error;
  }
}
