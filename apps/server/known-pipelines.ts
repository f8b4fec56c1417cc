import type { ByHand } from '#core/by-hand/by-hand.ts';
import { ownersOn } from '#core/declarations/declarations.ts';
import type { Declarations } from '#core/declarations/declarations.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import type { SharedState } from '#core/ports.ts';
import type { ByHandStore } from './by-hand/store.ts';
import type { ClusterRegistry } from './cluster-registry.ts';
import type { ConfigSource } from './config-source.ts';
import type { Repositories } from './git/repositories.ts';

interface KnownPipeline {
  pipeline: Pipeline;
  declaredIn: 'configuration' | 'repository';
}

/** All pipelines: those of the configuration, and those that pushed repositories carry themselves. */
export interface KnownPipelines {
  all(): Promise<readonly KnownPipeline[]>;
  find(name: string): Promise<KnownPipeline | undefined>;
  clusters(): Declarations['clusters'];
  /** Also those that are declared no longer. */
  allClusters(): Declarations['clusters'];
  entriesOn(cluster: string): Promise<{ pipeline: string; entry: string }[]>;
  /** Whether it is known what is declared; until then nothing may be taken for gone. */
  areKnown(): boolean;
  /** Tells the workers; nothing, as long as it is not known. */
  publish(): Promise<void>;
  /** Of a cluster that is declared no longer: what runs on it is left to itself. */
  forgetCluster(name: string): Promise<void>;
  /** Forgets those of which their deploy workers say that nothing is left on them. */
  forgetEmpty(): Promise<void>;
}

interface KnownPipelinesDependencies {
  shared: Pick<SharedState, 'putDeclarations' | 'clusterStatus'>;
  registry: ClusterRegistry;
  byHand: ByHandStore;
  now: () => number;
}

export function createKnownPipelines(
  config: Pick<ConfigSource, 'declarations' | 'isKnown'>,
  repositories: Pick<Repositories, 'pipelines'>,
  { shared, registry, byHand, now }: KnownPipelinesDependencies,
): KnownPipelines {
  function retired(): Declarations['clusters'] {
    const all = Object.entries(registry.retired());
    return Object.fromEntries(all.map(([name, { cluster }]) => [name, cluster]));
  }

  let last: { declared: object; carried: object; all: readonly KnownPipeline[] } | undefined;

  /** The same list as long as nothing was declared anew. */
  async function all(): Promise<readonly KnownPipeline[]> {
    const declared = config.declarations().pipelines;
    const carried = await repositories.pipelines();
    if (last?.declared !== declared || last.carried !== carried)
      last = { declared, carried, all: listAll(declared, carried) };
    return last.all;
  }

  async function publish(): Promise<void> {
    if (!config.isKnown()) return;
    const pipelines = Object.fromEntries(
      (await all()).map(({ pipeline }) => [pipeline.metadata.name, pipeline]),
    );
    const { clusters } = config.declarations();
    await registry.declare(clusters, now());
    for (const cluster of Object.keys(clusters)) {
      for (const owner of ownersOn(cluster, { pipelines, clusters }))
        await byHand.change(owner, (before) => withoutDeletion(before, cluster));
    }
    await shared.putDeclarations({ pipelines, clusters, retired: retired() });
  }

  return {
    all,
    find: async (name) => (await all()).find(({ pipeline }) => pipeline.metadata.name === name),
    clusters: () => config.declarations().clusters,
    allClusters: () => ({ ...retired(), ...config.declarations().clusters }),
    entriesOn: async (cluster) =>
      (await all()).flatMap(({ pipeline }) =>
        pipeline.spec.deploy
          .filter((deploy) => deploy.cluster === cluster)
          .map((deploy) => ({ pipeline: pipeline.metadata.name, entry: entryName(deploy) })),
      ),
    areKnown: () => config.isKnown(),
    publish,
    async forgetCluster(name) {
      if (!Object.hasOwn(registry.retired(), name))
        throw new UserError('conflict', `the cluster ${name} is declared, or was never known`, {
          hint: 'only one that was taken out of the configuration can be forgotten',
        });
      await registry.forget(name);
      await publish();
    },
    async forgetEmpty() {
      for (const name of Object.keys(registry.retired())) {
        const status = await shared.clusterStatus(name);
        if (status?.retired !== true || status.error !== undefined) continue;
        if (status.owners.length + status.orphans.length > 0) continue;
        await registry.forget(name);
        await publish();
      }
    },
  };
}

/** What is declared again is not to be deleted when it is taken out another time. */
function withoutDeletion(before: ByHand, cluster: string): ByHand {
  const { deleted, ...others } = before;
  if (deleted === undefined || deleted.every((each) => each.cluster !== cluster)) return before;
  const left = deleted.filter((each) => each.cluster !== cluster);
  return left.length === 0 ? others : { ...others, deleted: left };
}

function listAll(
  declared: Declarations['pipelines'],
  carried: Readonly<Record<string, Pipeline>>,
): KnownPipeline[] {
  return [
    ...Object.values(declared).map((pipeline): KnownPipeline => ({
      pipeline,
      declaredIn: 'configuration',
    })),
    ...Object.values(carried)
      .filter(({ metadata }) => !Object.hasOwn(declared, metadata.name))
      .map((pipeline): KnownPipeline => ({ pipeline, declaredIn: 'repository' })),
  ];
}
