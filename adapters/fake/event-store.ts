import type { ClusterEvent } from '#core/events/event.ts';
import type { EventStore } from '#core/ports.ts';

/** An EventStore in memory, for tests. */
export function createMemoryEventStore(): EventStore {
  const all = new Map<string, ClusterEvent[]>();
  const followers = new Set<{ cluster: string; tell: (events: readonly ClusterEvent[]) => void }>();

  function of(cluster: string): ClusterEvent[] {
    return all.get(cluster) ?? [];
  }

  return {
    async append(cluster, events) {
      all.set(cluster, [...of(cluster), ...events]);
      for (const follower of followers) if (follower.cluster === cluster) follower.tell(events);
    },
    read: async (cluster) => ({ events: of(cluster), last: String(of(cluster).length) }),
    async follow(cluster, from, tell, signal) {
      const missed = of(cluster).slice(Number(from));
      if (missed.length > 0) tell(missed);
      const follower = { cluster, tell };
      followers.add(follower);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      followers.delete(follower);
    },
  };
}
