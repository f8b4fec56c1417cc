import { setTimeout as sleep } from 'node:timers/promises';
import { isApiStatus } from '#adapters/kubernetes/api-error.ts';
import type { ListScope } from '#adapters/kubernetes/objects.ts';
import { watchKind } from '#adapters/kubernetes/watch.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { isNewer } from '#core/kubernetes/live-object.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { KubernetesContext } from './context.ts';

const READY_MS = 30_000;

interface Kept {
  uid: string;
  resourceVersion: string;
}

/** The objects of a kind as they are now, each reduced to what is needed of it. */
export interface Watched<T extends Kept> {
  /** @throws UserError `unavailable` where they cannot be read */
  ready(signal: AbortSignal): Promise<void>;
  get(id: string): T | undefined;
  all(): Iterable<T>;
  /** What was just read or written, where it is newer than what is known. */
  put(object: LiveObject): T;
  /** That one was just deleted. */
  drop(id: string, uid: string): void;
  close(): void;
}

export interface WatchOptions<T> {
  kind: ApiKind;
  scope: ListScope;
  idOf: (object: LiveObject) => string;
  keep: (object: LiveObject, before: T | undefined) => T;
  /** Tells whether the difference is worth a look. */
  isNews: (before: T | undefined, after: T | undefined) => boolean;
  onNews: (what: string) => void;
}

/** What was known of it is not what is there any more. */
function isForbidden(trouble: unknown): boolean {
  return isApiStatus(trouble, 401) || isApiStatus(trouble, 403);
}

/** Watches until closed. */
export function startWatch<T extends Kept>(
  {
    client,
    cluster,
    log,
    onChange,
  }: Pick<KubernetesContext, 'client' | 'cluster' | 'log' | 'onChange'>,
  { kind, scope, idOf, keep, isNews, onNews }: WatchOptions<T>,
): Watched<T> {
  const kept = new Map<string, T>();
  const stop = new AbortController();
  let trouble: unknown;
  let isListed = false;
  /** What the list that is being read has told so far. */
  const there = new Set<string>();
  /** It is listed, or cannot be. */
  const isKnown = Promise.withResolvers<void>();

  function set(id: string, after: T | undefined): void {
    const before = kept.get(id);
    if (after === undefined) kept.delete(id);
    else kept.set(id, after);
    onChange();
    if (isNews(before, after)) onNews(id);
  }

  function put(object: LiveObject): T {
    const id = idOf(object);
    const before = kept.get(id);
    if (before !== undefined && !isNewer(object.metadata.resourceVersion, before.resourceVersion))
      return before;
    const after = keep(object, before);
    set(id, after);
    return after;
  }

  /** What took its name since stays. */
  function drop(id: string, uid: string): void {
    if (kept.get(id)?.uid === uid) set(id, undefined);
  }

  void watchKind(
    client,
    kind,
    scope,
    {
      begin: () => there.clear(),
      page(items) {
        for (const item of items) {
          there.add(idOf(item));
          put(item);
        }
      },
      onListed() {
        for (const id of kept.keys()) if (!there.has(id)) set(id, undefined);
        there.clear();
        trouble = undefined;
        isListed = true;
        onChange();
        isKnown.resolve();
      },
      onPut: put,
      onGone: (object) => drop(idOf(object), object.metadata.uid),
      onTrouble(error) {
        // The kind is no longer served: nothing of it is there.
        if (isApiStatus(error, 404)) for (const id of kept.keys()) set(id, undefined);
        trouble = error;
        onChange();
        isKnown.resolve();
        log.warn({ cluster, kind: kind.kind, reason: messageOf(error) }, 'a watch broke off');
      },
    },
    stop.signal,
  );

  return {
    async ready(signal) {
      if (isListed && !isForbidden(trouble)) return;
      const late = new AbortController();
      const limit = AbortSignal.any([signal, late.signal]);
      try {
        await Promise.race([isKnown.promise, sleep(READY_MS, undefined, { signal: limit })]);
      } finally {
        late.abort();
      }
      if (isListed && !isForbidden(trouble)) return;
      if (trouble instanceof UserError) throw trouble;
      throw new UserError('unavailable', `the cluster's ${kind.plural} cannot be listed`, {
        transient: true,
        cause: trouble,
      });
    },
    get: (id) => kept.get(id),
    all: () => kept.values(),
    put,
    drop,
    close: () => stop.abort(),
  };
}

/** Resolves when each is known, or cannot be: why it cannot. One that fails is no matter of the others. */
export async function readyOrNot(
  watches: ReadonlyMap<string, Pick<Watched<Kept>, 'ready'>>,
  signal: AbortSignal,
): Promise<Map<string, UserError>> {
  const problems = new Map<string, UserError>();
  await Promise.all(
    [...watches].map(async ([name, watched]) => {
      try {
        await watched.ready(signal);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.set(name, error);
      }
    }),
  );
  return problems;
}
