import type { Published } from '#core/declarations/declarations.ts';
import type { ClusterPulse, ClusterStatus, SharedState } from '#core/ports.ts';

/** SharedState in memory, for tests. */
export function createMemorySharedState(): SharedState {
  let current: Published = { pipelines: {}, clusters: {}, retired: {} };
  const statuses = new Map<string, ClusterStatus>();
  const pulses = new Map<string, ClusterPulse>();
  const listeners = new Set<() => void>();
  const followers = new Set<(declarations: Published) => void>();
  return {
    async putDeclarations(declarations) {
      current = declarations;
      for (const follower of followers) follower(current);
    },
    declarations: async () => current,
    async followDeclarations(onChange, signal) {
      followers.add(onChange);
      onChange(current);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      followers.delete(onChange);
    },
    async ringByHand() {
      for (const listener of listeners) listener();
    },
    async followByHand(onRing, signal) {
      listeners.add(onRing);
      onRing();
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      listeners.delete(onRing);
    },
    async putClusterStatus(cluster, status) {
      statuses.set(cluster, status);
    },
    clusterStatus: async (cluster) => statuses.get(cluster),
    async putClusterPulse(cluster, pulse) {
      pulses.set(cluster, pulse);
    },
    clusterPulse: async (cluster) => pulses.get(cluster),
  };
}
