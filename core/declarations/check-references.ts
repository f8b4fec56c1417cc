import type { Declared } from '#core/declarations/read.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import type { Problem } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';
import { problemAt } from '#core/zod-problems.ts';

/** Deploy entries whose cluster is not declared. */
export function checkReferences(
  declared: Declared<Pipeline>,
  clusters: readonly string[],
): Problem[] {
  return declared.value.spec.deploy.flatMap(({ cluster }, index) => {
    if (clusters.includes(cluster)) return [];
    const hint =
      suggestion(cluster, clusters) ??
      (clusters.length === 0
        ? 'no Cluster is declared: the configuration of the server needs a document of kind Cluster'
        : `declared: ${clusters.join(', ')}`);
    const path = ['spec', 'deploy', index, 'cluster'];
    return [problemAt({ ...declared, path, message: `there is no Cluster ${cluster}`, hint })];
  });
}
