import { Keep } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import type { KnownPipelines } from './known-pipelines.ts';

/** What each pipeline says is kept; of one that is declared no longer, the default. Fails while that is not known. */
export async function readKeep(
  pipelines: Pick<KnownPipelines, 'all' | 'areKnown'>,
): Promise<(pipeline: string) => Keep> {
  if (!pipelines.areKnown()) {
    throw new UserError('unavailable', 'what pipelines keep is not known: nothing is collected', {
      hint: 'correct the configuration; windlass status says what is wrong with it',
    });
  }
  const declared = new Map(
    (await pipelines.all()).map(({ pipeline }) => [pipeline.metadata.name, pipeline.spec.keep]),
  );
  const standard = Keep.parse({});
  return (pipeline) => declared.get(pipeline) ?? standard;
}
