import type { OwnerSight, Sight } from '#core/notify/look.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ClusterStatus, RunStore, SharedState } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

/** How often all recent runs are looked at: for those whose end was told while Redis, or this process, was away. */
const ALL_MS = 60_000;
const MOST_RUNS = 1_000;

/** Sees which runs end and how clusters stand. */
export interface Lookout {
  /** Hears of runs that end, until aborted. */
  watch(signal: AbortSignal): Promise<void>;
  see(): Promise<Sight>;
}

interface LookoutDependencies {
  runs: Pick<RunStore, 'list' | 'unfinished' | 'follow'>;
  shared: Pick<SharedState, 'clusterStatus'>;
  clusters: () => readonly string[];
  /** What is declared for a cluster. */
  ownersOn: (cluster: string) => Promise<readonly OwnerKey[]>;
  isSuspended: (owner: OwnerKey) => boolean;
  now: () => number;
}

export function createLookout(dependencies: LookoutDependencies): Lookout {
  const { runs, shared, clusters, now } = dependencies;
  let ended: Run[] = [];
  let allAt = -Infinity;

  async function recent(): Promise<Run[]> {
    const isDue = now() - allAt >= ALL_MS;
    const [all, unfinished] = await Promise.all([
      isDue ? runs.list({ limit: MOST_RUNS }) : [],
      runs.unfinished(),
    ]);
    if (isDue) allAt = now();
    const byId = new Map([...unfinished, ...all, ...ended.splice(0)].map((run) => [run.id, run]));
    return [...byId.values()];
  }

  return {
    watch: (signal) =>
      runs.follow(
        undefined,
        (news) => {
          if (news.kind === 'run' && isFinished(news.run)) ended.push(news.run);
          if (ended.length > MOST_RUNS) ended = ended.slice(-MOST_RUNS);
        },
        signal,
      ),
    async see() {
      const found = await Promise.all(clusters().map((name) => shared.clusterStatus(name)));
      const statuses = found.filter((each) => each !== undefined);
      const seen = statuses.map(async (status) => ({
        ...status,
        owners: await ownersOf(status, dependencies),
      }));
      return { runs: await recent(), clusters: await Promise.all(seen) };
    },
  };
}

/** Of a cluster that cannot be reached no owners are reported: those are meant that should be there. */
async function ownersOf(
  { cluster, owners, error }: ClusterStatus,
  { ownersOn, isSuspended }: LookoutDependencies,
): Promise<readonly OwnerSight[]> {
  if (error === undefined) return owners;
  const declared = await ownersOn(cluster);
  return declared
    .filter((owner) => !isSuspended(owner))
    .map((owner) => ({ owner, serving: false, resources: [] }));
}
