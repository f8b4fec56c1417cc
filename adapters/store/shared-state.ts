import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Published } from '#core/declarations/declarations.ts';
import type { ClusterPulse, ClusterStatus, OwnerReport, SharedState } from '#core/ports.ts';
import { subscribe } from './subscribe.ts';

const DECLARATIONS = 'windlass:declarations';
const CHANGED = 'windlass:declarations-changed';
const BY_HAND = 'windlass:by-hand';
const RETRY_MS = 1_000;

/** What server and workers share beside runs: the declarations, and how each cluster is. */
export function createSharedState(redis: Redis): SharedState {
  return {
    putDeclarations: async (declarations) => {
      await redis
        .multi()
        .set(DECLARATIONS, JSON.stringify(declarations))
        .publish(CHANGED, '')
        .exec();
    },
    declarations: () => declarations(redis),
    followDeclarations: (onChange, signal) => followDeclarations(redis, onChange, signal),
    ringByHand: async () => {
      await redis.publish(BY_HAND, '');
    },
    followByHand: (onRing, signal) =>
      subscribe(redis, {
        pattern: BY_HAND,
        onMessage: onRing,
        onReady: async () => onRing(),
        signal,
      }),
    putClusterStatus: async (cluster, status) => {
      await redis.set(statusKey(cluster), JSON.stringify(status));
    },
    clusterStatus: async (cluster) => {
      const text = await redis.get(statusKey(cluster));
      return text === null ? undefined : readStatus(text);
    },
    putClusterPulse: async (cluster, pulse) => {
      await redis.set(pulseKey(cluster), JSON.stringify(pulse));
    },
    clusterPulse: async (cluster) => {
      const text = await redis.get(pulseKey(cluster));
      return text === null ? undefined : (JSON.parse(text) as ClusterPulse);
    },
  };
}

function followDeclarations(
  redis: Redis,
  onChange: (declarations: Published) => void,
  signal: AbortSignal,
): Promise<void> {
  async function tell(): Promise<void> {
    onChange(await declarations(redis));
  }
  async function tellAtLast(): Promise<void> {
    while (!signal.aborted) {
      try {
        await tell();
        return;
      } catch {
        // Redis could not say, as where it is busy or loads: it is asked until it does.
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
  return subscribe(redis, {
    pattern: CHANGED,
    onMessage: () => void tellAtLast(),
    onReady: tell,
    signal,
  });
}

async function declarations(redis: Redis): Promise<Published> {
  const text = await redis.get(DECLARATIONS);
  const nothing: Published = { pipelines: {}, clusters: {}, retired: {} };
  return text === null ? nothing : { ...nothing, ...(JSON.parse(text) as Published) };
}

/** Also as an earlier version wrote it, until its deploy worker tells anew. */
function readStatus(text: string): ClusterStatus {
  const status = JSON.parse(text) as ClusterStatus & { orphans?: ClusterStatus['orphans'] };
  const owners: (Omit<OwnerReport, 'held' | 'overrides'> & Partial<OwnerReport>)[] = status.owners;
  return {
    ...status,
    orphans: status.orphans ?? [],
    owners: owners.map((owner) => ({ held: [], overrides: [], ...owner })),
  };
}

function pulseKey(cluster: string): string {
  return `windlass:cluster:${cluster}:pulse`;
}

function statusKey(cluster: string): string {
  return `windlass:cluster:${cluster}:status`;
}
