import type { Logger } from 'pino';
import { planLogCollection, planRunCollection } from '#core/collect.ts';
import type { Keep } from '#core/declarations/pipeline.ts';
import type { RunKeeping, RunStore } from '#core/ports.ts';
import { readKeep } from '../keep.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { RunArchive } from './run-archive.ts';

interface CollectRunsDependencies {
  runs: Pick<RunStore, 'unfinished'> & Pick<RunKeeping, 'index' | 'forget'>;
  archive: Pick<RunArchive, 'pipelines' | 'filed' | 'remove'>;
  pipelines: Pick<KnownPipelines, 'all' | 'areKnown'>;
  now: () => number;
  log: Logger;
}

/** Forgets old runs and their logs, as each pipeline says; those of a pipeline that is declared no longer as by default. */
export async function collectRuns(dependencies: CollectRunsDependencies): Promise<void> {
  const { archive, pipelines } = dependencies;
  const keepOf = await readKeep(pipelines);
  for (const pipeline of await archive.pipelines())
    await collectPipeline(pipeline, keepOf(pipeline), dependencies);
}

async function collectPipeline(
  pipeline: string,
  keep: Keep,
  { runs, archive, now, log }: CollectRunsDependencies,
): Promise<void> {
  // Before the index: a run recorded in between is too young to go.
  const unfinished = new Set((await runs.unfinished()).map(({ id }) => id));
  const index = await runs.index(pipeline);
  const goes = planRunCollection(index, unfinished, keep, now());
  // Files first: what is left of a run without them goes with the next collection.
  for (const id of goes) await archive.remove({ id, pipeline });
  await runs.forget(pipeline, goes);
  const known = new Set(index.map(({ id }) => id));
  const lost = planLogCollection(await archive.filed(pipeline), known, keep, now());
  for (const id of lost) await archive.remove({ id, pipeline });
  if (goes.length + lost.length > 0)
    log.info({ pipeline, runs: goes.length, lost: lost.length }, 'old runs were forgotten');
}
