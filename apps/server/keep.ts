import { Keep } from '#core/declarations/pipeline.ts';
import type { KnownPipelines } from './known-pipelines.ts';

/** What each pipeline says is kept; of one that is declared no longer, the default. */
export async function readKeep(
  pipelines: Pick<KnownPipelines, 'all'>,
): Promise<(pipeline: string) => Keep> {
  const declared = new Map(
    (await pipelines.all()).map(({ pipeline }) => [pipeline.metadata.name, pipeline.spec.keep]),
  );
  const standard = Keep.parse({});
  return (pipeline) => declared.get(pipeline) ?? standard;
}
