import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer, ListedContainer } from './inspected.ts';

const AT_ONCE = 8;

/**
 * Inspects containers, and remembers what it saw. INVARIANT: an entry is believed only while Docker's events are being
 * followed, since an alteration by hand changes nothing in a listing; each event and each own write forgets its container.
 */
export interface Inspections {
  inspectAll(
    listed: readonly ListedContainer[],
    signal: AbortSignal,
  ): Promise<InspectedContainer[]>;
  forget(id: string): void;
  /** Says whether events are being followed from now on. */
  setFollowing(following: boolean): void;
}

export function createInspections(context: DockerContext): Inspections {
  const seen = new Map<string, { state: string; inspected: InspectedContainer }>();
  /** Counts forgettings, so that an answer that was under way meanwhile is not kept. */
  const forgotten = new Map<string, number>();
  let isFollowing = false;

  async function inspect(
    { Id, State }: ListedContainer,
    signal: AbortSignal,
  ): Promise<InspectedContainer | undefined> {
    const known = seen.get(Id);
    if (isFollowing && known?.state === State) return known.inspected;
    const before = forgotten.get(Id);
    const inspected = await inspectContainer(context, Id, signal);
    if (inspected !== undefined && isFollowing && before === forgotten.get(Id)) {
      seen.set(Id, { state: inspected.State.Status, inspected });
    }
    return inspected;
  }

  return {
    async inspectAll(listed, signal) {
      const ids = new Set(listed.map(({ Id }) => Id));
      for (const map of [seen, forgotten]) {
        for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
      }
      const found = await mapAtOnce(AT_ONCE, listed, (container) => inspect(container, signal));
      return found.filter((inspected) => inspected !== undefined);
    },
    forget(id) {
      seen.delete(id);
      forgotten.set(id, (forgotten.get(id) ?? 0) + 1);
    },
    setFollowing(following) {
      isFollowing = following;
      seen.clear();
    },
  };
}

/** Absent when there is no such container (any more). */
export async function inspectContainer(
  context: DockerContext,
  nameOrId: string,
  signal: AbortSignal,
): Promise<InspectedContainer | undefined> {
  try {
    return await callDocker<InspectedContainer>(context.docker, {
      method: 'GET',
      path: `/containers/${nameOrId}/json`,
      signal,
    });
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Maps with at most `limit` under way; answers in order. */
export async function mapAtOnce<T, U>(
  limit: number,
  items: readonly T[],
  work: (item: T) => Promise<U>,
): Promise<U[]> {
  const results: U[] = [];
  const queue = items.entries();
  async function takeTurns(): Promise<void> {
    for (const [index, item] of queue) results[index] = await work(item);
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, takeTurns));
  return results;
}
