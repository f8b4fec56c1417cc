import type { DeleteAnswer } from '#core/api/by-hand.ts';
import type { Note } from '#core/by-hand/by-hand.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { SharedState } from '#core/ports.ts';
import type { Repositories } from '../git/repositories.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { ByHandStore } from './store.ts';

interface Wanted {
  pipeline: string;
  entry?: string;
  cluster?: string;
  cascade: boolean;
}

type Target = DeleteAnswer['deleted'][number];

export interface DeleteDependencies {
  store: ByHandStore;
  shared: Pick<SharedState, 'clusterStatus' | 'ringByHand'>;
  pipelines: KnownPipelines;
  repositories: Pick<Repositories, 'forgetPipeline'>;
}

/** Removes what nobody declares any more. What is still declared is refused: it would only come back. */
export async function deletePipeline(
  wanted: Wanted,
  note: Note,
  dependencies: DeleteDependencies,
): Promise<DeleteAnswer> {
  const { pipeline, cascade } = wanted;
  const { store, shared, pipelines, repositories } = dependencies;
  const known = await pipelines.find(pipeline);
  const isForgotten = known?.declaredIn === 'repository' && wanted.entry === undefined;
  const targets = (await everythingOf(pipeline, dependencies))
    .filter(({ target }) => wanted.cluster === undefined || target.cluster === wanted.cluster)
    .filter(
      ({ target }) =>
        wanted.entry === undefined || target.owner === ownerKey(pipeline, wanted.entry),
    )
    .filter(({ declared }) => !declared || isForgotten)
    .map(({ target }) => target);
  if (targets.length === 0 && !isForgotten)
    throw await nothingToDelete(wanted, known?.declaredIn, pipelines);
  if (!cascade) return { deleted: targets, cascade };
  if (isForgotten) await repositories.forgetPipeline(pipeline);
  for (const { owner, cluster } of targets) {
    await store.change(owner, (before) => ({
      ...before,
      deleted: [
        ...(before.deleted ?? []).filter((each) => each.cluster !== cluster),
        { ...note, cluster },
      ],
    }));
  }
  if (isForgotten) await pipelines.publish();
  await shared.ringByHand();
  return { deleted: targets, cascade };
}

/** Where the pipeline's entries have anything, by what the clusters last reported. */
async function everythingOf(
  pipeline: string,
  { shared, pipelines }: DeleteDependencies,
): Promise<{ target: Target; declared: boolean }[]> {
  const clusters = Object.keys(pipelines.allClusters());
  const statuses = await Promise.all(clusters.map((name) => shared.clusterStatus(name)));
  return statuses.flatMap((status) => {
    if (status === undefined) return [];
    const { cluster, owners, orphans } = status;
    const declared = owners.map(({ owner, resources }) => ({
      target: {
        owner,
        cluster,
        resources: resources.map(({ key }) => key),
        pods: resources.flatMap(({ pods = [] }) => pods).length,
      },
      declared: true,
    }));
    const orphaned = orphans.map((orphan) => ({ target: { ...orphan, cluster }, declared: false }));
    return [...declared, ...orphaned].filter(({ target }) =>
      target.owner.startsWith(`${pipeline}/`),
    );
  });
}

async function nothingToDelete(
  { pipeline, entry }: Wanted,
  declaredIn: 'configuration' | 'repository' | undefined,
  pipelines: KnownPipelines,
): Promise<UserError> {
  const entries = (await pipelines.find(pipeline))?.pipeline.spec.deploy.map(entryName) ?? [];
  const isDeclared = declaredIn !== undefined && (entry === undefined || entries.includes(entry));
  const what = entry === undefined ? pipeline : ownerKey(pipeline, entry);
  if (!isDeclared) {
    return new UserError('not-found', `nothing of ${what} is on any cluster that answers`, {
      hint: '`windlass status` lists what is orphaned',
    });
  }
  return new UserError('conflict', `${what} is declared: what is deleted would come back`, {
    hint:
      declaredIn === 'configuration'
        ? 'take it out of the configuration first'
        : 'take the entry out of pipelines/ in the repository and push, or delete the whole pipeline',
  });
}
