import { apiVersionOf, pathOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { Resource } from '#core/resources/resource.ts';
import { isApiStatus } from './api-error.ts';
import type { KubeClient } from './client.ts';

const PAGE = 250;
const LISTS_AGAIN = 3;
const APPLY = 'application/apply-patch+yaml';
/** Of an object, with JSON as a server answers that knows no such thing. */
const BRIEF = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

export interface ListScope {
  /** All of them when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

interface ListAnswer {
  metadata: { resourceVersion?: string; continue?: string };
  items: LiveObject[] | null;
}

export interface ApplyOptions {
  fieldManager: string;
  /** Nothing is written. */
  dryRun?: boolean;
  /** Fields that others manage are taken from them. */
  force?: boolean;
  /** No more than the metadata is answered, which costs less. */
  brief?: boolean;
}

export async function getObject(
  client: KubeClient,
  kind: ApiKind,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<LiveObject | undefined> {
  try {
    const request = { method: 'GET' as const, path: pathOf(kind, namespace, name) };
    return (await client.call<LiveObject>(request, signal)).body;
  } catch (error) {
    if (isApiStatus(error, 404)) return undefined;
    throw error;
  }
}

/** All of them, in memory at once. */
export async function listObjects(
  client: KubeClient,
  kind: ApiKind,
  scope: ListScope,
  signal: AbortSignal,
): Promise<LiveObject[]> {
  let all: LiveObject[] = [];
  await readPages(
    client,
    kind,
    scope,
    {
      begin: () => (all = []),
      page: (items) => all.push(...items),
    },
    signal,
  );
  return all;
}

/** What a list is handed to, page by page, so that it never is in memory as a whole. */
export interface PageReader {
  /** Pages told before count for nothing. */
  begin(): void;
  page(items: readonly LiveObject[]): void;
}

/** Answers the version of the list from which a watch goes on. */
export async function readPages(
  client: KubeClient,
  kind: ApiKind,
  scope: ListScope,
  reader: PageReader,
  signal: AbortSignal,
): Promise<string> {
  for (let tried = 1; ; tried += 1) {
    try {
      reader.begin();
      return await readOnce(client, kind, scope, reader, signal);
    } catch (error) {
      // The pages' snapshot is gone.
      if (!isApiStatus(error, 410) || tried >= LISTS_AGAIN) throw error;
    }
  }
}

async function readOnce(
  client: KubeClient,
  kind: ApiKind,
  { namespace, labelSelector, fieldSelector }: ListScope,
  reader: PageReader,
  signal: AbortSignal,
): Promise<string> {
  let next: string | undefined;
  for (;;) {
    const query = { limit: PAGE, labelSelector, fieldSelector, continue: next };
    const request = { method: 'GET' as const, path: pathOf(kind, namespace), query };
    const { body } = await client.call<ListAnswer>(request, signal);
    // Items of a list do not say what they are.
    const named = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    reader.page((body.items ?? []).map((item) => ({ ...item, ...named })));
    next = body.metadata.continue;
    if (next === undefined || next === '') return body.metadata.resourceVersion ?? '';
  }
}

/** Server-side apply: what the object is then, or would be. `created`: it was not there. */
export async function applyObject(
  client: KubeClient,
  kind: ApiKind,
  resource: Resource,
  { fieldManager, dryRun = false, force = false, brief = false }: ApplyOptions,
  signal: AbortSignal,
): Promise<{ created: boolean; object: LiveObject }> {
  const { namespace, name } = resource.metadata;
  const { status, body } = await client.call<LiveObject>(
    {
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: {
        fieldManager,
        force,
        // A misspelt field is refused, not dropped.
        fieldValidation: 'Strict',
        ...(dryRun ? { dryRun: 'All' } : {}),
      },
      body: resource,
      contentType: APPLY,
      ...(brief ? { accept: BRIEF } : {}),
    },
    signal,
  );
  return { created: status === 201, object: body };
}

/**
 * Deletes exactly that object: one that was made anew under its name stays. Foreground: it goes when all that belongs to
 * it is gone. False where there is nothing to be done: it is gone, another, or going.
 */
export async function deleteObject(
  client: KubeClient,
  kind: ApiKind,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
  signal: AbortSignal,
): Promise<boolean> {
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: 'Foreground',
    preconditions: { uid },
  };
  try {
    await client.call({ method: 'DELETE', path: pathOf(kind, namespace, name), body }, signal);
    return true;
  } catch (error) {
    if (isApiStatus(error, 404) || isApiStatus(error, 409)) return false;
    throw error;
  }
}
