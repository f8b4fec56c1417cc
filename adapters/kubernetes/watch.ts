import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#core/errors.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { ApiError, isApiStatus } from './api-error.ts';
import type { ApiStatus } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { readLines } from './lines.ts';
import { readPages } from './objects.ts';
import type { ListScope, PageReader } from './objects.ts';

/** The server ends a watch after it; one that it does not end is dead. */
const WATCH_SECONDS = 290;
const MARGIN_MS = 20_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: LiveObject }
  | { type: 'ERROR'; object: ApiStatus & { code?: number } };

export interface Watcher extends PageReader {
  /** The pages since it began were all there is; what was in none of them is gone. */
  onListed(): void;
  onPut(object: LiveObject): void;
  onGone(object: LiveObject): void;
  /** It is not known what there is until the next `onListed`; it is tried again by itself. */
  onTrouble(error: unknown): void;
}

/**
 * Tells what there is of a kind and every change to it, until aborted. After a disconnect it goes on where it was;
 * where the server has forgotten that (410), it lists again.
 */
export async function watchKind(
  client: KubeClient,
  kind: ApiKind,
  scope: ListScope,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<void> {
  let from = '';
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (from === '') {
        from = await readPages(client, kind, scope, watcher, signal);
        watcher.onListed();
      }
      const begun = Date.now();
      for await (const event of watchFrom(client, kind, { ...scope, from }, signal)) {
        failures = 0;
        from = event.object.metadata.resourceVersion;
        if (event.type === 'DELETED') watcher.onGone(event.object);
        else if (event.type !== 'BOOKMARK') watcher.onPut(event.object);
      }
      // What ends every watch at once is not to be asked without a pause.
      if (Date.now() - begun < FIRST_RETRY_MS) await pause(FIRST_RETRY_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isApiStatus(error, 410)) {
        from = '';
        continue;
      }
      if (error instanceof ApiError) from = '';
      watcher.onTrouble(error);
      failures += 1;
      const pauseMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
      await pause(pauseMs, signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    // Aborted: the caller looks at its signal.
  });
}

async function* watchFrom(
  client: KubeClient,
  kind: ApiKind,
  { from, namespace, labelSelector, fieldSelector }: ListScope & { from: string },
  signal: AbortSignal,
): AsyncGenerator<Exclude<WatchEvent, { type: 'ERROR' }>> {
  const late = AbortSignal.timeout(WATCH_SECONDS * 1_000 + MARGIN_MS);
  const query = {
    watch: true,
    resourceVersion: from,
    allowWatchBookmarks: true,
    timeoutSeconds: WATCH_SECONDS,
    labelSelector,
    fieldSelector,
  };
  const path = pathOf(kind, namespace);
  const until = AbortSignal.any([signal, late]);
  const stream = await client.stream({ method: 'GET', path, query }, until);
  try {
    for await (const line of readLines(stream)) {
      const event = JSON.parse(line) as WatchEvent;
      if (event.type === 'ERROR')
        throw new ApiError(`watch ${path}`, event.object.code ?? 500, event.object);
      yield event;
    }
  } catch (error) {
    // Dead, or cut between two lines: it goes on from the last event.
    if (signal.aborted || error instanceof ApiError) throw error;
    if (!late.aborted && !isCut(error)) throw error;
  } finally {
    stream.destroy();
  }
}

function isCut(error: unknown): boolean {
  return error instanceof SyntaxError || messageOf(error) === 'aborted';
}
