import { UserError } from '#core/errors.ts';
import type { RunStore, ServerApi } from '#core/ports.ts';
import type { Release } from '#core/release/release.ts';
import { isFinished } from '#core/run/run.ts';
import type { Releases } from '../../apps/server/releases/releases.ts';

export interface MemoryReleases
  extends ServerApi, Pick<Releases, 'history' | 'namesSource' | 'forgetRendered'> {
  /** Of the one entry there is, oldest first. */
  readonly commits: readonly Release[];
  readonly healthy: string | undefined;
}

/** The release branch of one entry, by the rules of the server's releases. A release's manifests name its source. */
export function createMemoryReleases(
  runs: RunStore,
  { pipeline, entry }: { pipeline: string; entry: string },
): MemoryReleases {
  const commits: Release[] = [];
  const rendered = new Set<string>();
  const served = new Set<string>();
  let healthy: string | undefined;

  function commit(made: Pick<Release, 'source'> & Partial<Release>): Release {
    const release = {
      commit: `release-${commits.length}`,
      pipeline,
      entry,
      subject: '',
      author: '',
      at: 0,
      healthy: false,
      ...made,
    };
    commits.push(release);
    return release;
  }

  function find(id: string | undefined): Release | undefined {
    return commits.find((each) => each.commit === id);
  }

  return {
    commits,
    get healthy() {
      return healthy;
    },
    async storeRendered(runId) {
      rendered.add(runId);
    },
    async release(runId) {
      const run = await runs.get(runId);
      if (run === undefined) throw new UserError('not-found', `run ${runId} is not known`);
      const made = commits.find((each) => each.runId === runId);
      if (made !== undefined) return made;
      if (isFinished(run)) throw new UserError('conflict', `run ${runId} is ${run.state}`);
      if (!rendered.has(runId)) throw new UserError('not-found', `${runId} rendered nothing`);
      return commit({ source: run.commit, runId });
    },
    async restore(_pipeline, _entry, failed) {
      const head = commits.at(-1);
      if (head === undefined) return undefined;
      if (head.commit !== failed)
        return find(head.restores) !== undefined && commits.at(-2)?.commit === failed
          ? head
          : undefined;
      const good = find(healthy);
      if (good === undefined || good.source === head.source) return undefined;
      return commit({ source: good.source, restores: good.commit });
    },
    async markHealthy(_pipeline, _entry, id) {
      served.add(id);
      const before = commits.findIndex((each) => each.commit === healthy);
      if (commits.findIndex((each) => each.commit === id) > before) healthy = id;
    },
    byHand: async () => ({}),
    identity: () => Promise.reject(new Error('nobody asks here')),
    keptImages: () => Promise.reject(new Error('nobody asks here')),
    heads: async () => ({ releases: commits.slice(-1), unreadable: [] }),
    manifests: async (_pipeline, id) => ({ 'source.yaml': manifest(find(id)?.source ?? '') }),
    open: async (manifests) => manifests,
    answer: async () => undefined,
    history: () => Promise.reject(new Error('nobody rolls back here')),
    namesSource: async (_pipeline, source) => commits.some((each) => each.source === source),
    async forgetRendered(_pipeline, runId) {
      rendered.delete(runId);
    },
  };
}

function manifest(source: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${source} }\ndata: {}\n`;
}
