import { z } from 'zod';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import { readJsonFile, writeJsonFile } from '#adapters/state/json-file.ts';

const WRITE_TIMEOUT_MS = 30_000;
const Content = z.strictObject({
  version: z.literal(1),
  clusters: z.record(
    z.string(),
    z.strictObject({ cluster: Cluster, retiredAt: z.number().exactOptional() }),
  ),
});
type Known = z.infer<typeof Content>['clusters'];

/**
 * Every cluster that was declared once, until it is forgotten: what runs on one that is declared no longer stays, and
 * can be found and removed only by who knows where it is.
 */
export interface ClusterRegistry {
  /** Those that are not declared any more, with since when (ms since the epoch). */
  retired(): Record<string, { cluster: Cluster; at: number }>;
  /** Remembers what is declared now; what is missing there is retired from then on. */
  declare(clusters: Readonly<Record<string, Cluster>>, at: number): Promise<void>;
  forget(name: string): Promise<void>;
}

export async function openClusterRegistry(file: string): Promise<ClusterRegistry> {
  const lock = createKeyedLock();
  const content = await readJsonFile(file, Content, 'clusters that are declared no longer');
  let known: Known = content?.clusters ?? {};

  function change(to: (before: Known) => Known): Promise<void> {
    return lock(file, AbortSignal.timeout(WRITE_TIMEOUT_MS), async () => {
      const next = to(known);
      if (JSON.stringify(next) === JSON.stringify(known)) return;
      await writeJsonFile(file, { version: 1, clusters: next } satisfies z.infer<typeof Content>);
      known = next;
    });
  }

  return {
    retired: () =>
      Object.fromEntries(
        Object.entries(known).flatMap(([name, { cluster, retiredAt }]) =>
          retiredAt === undefined ? [] : [[name, { cluster, at: retiredAt }]],
        ),
      ),
    declare: (clusters, at) =>
      change((before) => ({
        ...Object.fromEntries(
          Object.entries(before).map(([name, each]) => [name, { retiredAt: at, ...each }]),
        ),
        ...Object.fromEntries(
          Object.entries(clusters).map(([name, cluster]) => [name, { cluster }]),
        ),
      })),
    forget: (name) =>
      change((before) =>
        Object.fromEntries(Object.entries(before).filter(([known]) => known !== name)),
      ),
  };
}
