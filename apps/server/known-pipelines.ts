import type { Declarations } from '#core/declarations/declarations.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import type { SharedState } from '#core/ports.ts';
import type { ConfigSource } from './config-source.ts';
import type { Repositories } from './git/repositories.ts';

interface KnownPipeline {
  pipeline: Pipeline;
  declaredIn: 'configuration' | 'repository';
}

/** All pipelines: those of the configuration, and those that pushed repositories carry themselves. */
export interface KnownPipelines {
  all(): Promise<KnownPipeline[]>;
  find(name: string): Promise<KnownPipeline | undefined>;
  clusters(): Declarations['clusters'];
  entriesOn(cluster: string): Promise<{ pipeline: string; entry: string }[]>;
  /** Tells the workers. */
  publish(): Promise<void>;
}

export function createKnownPipelines(
  config: Pick<ConfigSource, 'declarations'>,
  repositories: Pick<Repositories, 'pipelines'>,
  shared: Pick<SharedState, 'putDeclarations'>,
): KnownPipelines {
  async function all(): Promise<KnownPipeline[]> {
    const declared = config.declarations().pipelines;
    const carried = Object.values(await repositories.pipelines()).filter(
      ({ metadata }) => !Object.hasOwn(declared, metadata.name),
    );
    return [
      ...Object.values(declared).map((pipeline): KnownPipeline => ({
        pipeline,
        declaredIn: 'configuration',
      })),
      ...carried.map((pipeline): KnownPipeline => ({ pipeline, declaredIn: 'repository' })),
    ];
  }
  return {
    all,
    find: async (name) => (await all()).find(({ pipeline }) => pipeline.metadata.name === name),
    clusters: () => config.declarations().clusters,
    entriesOn: async (cluster) =>
      (await all()).flatMap(({ pipeline }) =>
        pipeline.spec.deploy
          .filter((deploy) => deploy.cluster === cluster)
          .map((deploy) => ({ pipeline: pipeline.metadata.name, entry: entryName(deploy) })),
      ),
    async publish() {
      const pipelines = Object.fromEntries(
        (await all()).map(({ pipeline }) => [pipeline.metadata.name, pipeline]),
      );
      await shared.putDeclarations({ pipelines, clusters: config.declarations().clusters });
    },
  };
}
