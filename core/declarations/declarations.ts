import type { Cluster } from '#core/declarations/cluster.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { ownerKey } from '#core/owner.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Window } from '#core/windows/window.ts';

/** All that is declared, by name, valid and with every reference resolved. */
export interface Declarations {
  pipelines: Record<string, Pipeline>;
  clusters: Record<string, Cluster>;
}

/** What deploy workers are told: also the clusters that are declared no longer, on which something may still run. */
export interface Published extends Declarations {
  retired: Record<string, Cluster>;
}

/** The windows of the deploy entries on a cluster that have any. */
export function windowsOn(
  cluster: string,
  { pipelines }: Pick<Declarations, 'pipelines'>,
): Map<OwnerKey, readonly Window[]> {
  return new Map(
    Object.values(pipelines).flatMap(({ metadata, spec }) =>
      spec.deploy.flatMap((deploy) =>
        deploy.cluster === cluster && deploy.windows !== undefined
          ? [[ownerKey(metadata.name, entryName(deploy)), deploy.windows] as const]
          : [],
      ),
    ),
  );
}

/** The deploy entries on a cluster, as owners; none where it is retired. */
export function ownersOn(cluster: string, { pipelines, clusters }: Declarations): OwnerKey[] {
  if (!Object.hasOwn(clusters, cluster)) return [];
  return Object.values(pipelines).flatMap(({ metadata, spec }) =>
    spec.deploy
      .filter((deploy) => deploy.cluster === cluster)
      .map((deploy) => ownerKey(metadata.name, entryName(deploy))),
  );
}
