import type { Cluster } from '#core/declarations/cluster.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';

/** All that is declared, by name, valid and with every reference resolved. */
export interface Declarations {
  pipelines: Record<string, Pipeline>;
  clusters: Record<string, Cluster>;
}
