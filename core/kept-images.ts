import { COMMITS_KEPT } from '#core/collect.ts';
import type { Kept } from '#core/collect.ts';
import type { Run } from '#core/run/run.ts';

/**
 * What the collection leaves alone, out of the runs of one pipeline, newest first, and what releases name: the images of
 * the newest commits, of every run that goes on, and of the releases that are kept.
 */
export function keptImages(
  runs: readonly Run[],
  released: Iterable<string>,
  repositoryOf: (pipeline: string, image: string) => string,
): Kept {
  const commits = new Set<string>();
  const tags = new Set<string>();
  const references = new Set(released);
  for (const run of runs) {
    const isOpen = run.state === 'queued' || run.state === 'running';
    if (commits.size < COMMITS_KEPT && Object.keys(run.images).length > 0) commits.add(run.commit);
    if (!isOpen && !commits.has(run.commit)) continue;
    for (const image of run.spec.images)
      tags.add(`${image.repository ?? repositoryOf(run.pipeline, image.name)}:${run.commit}`);
    for (const reference of Object.values(run.images)) references.add(reference);
  }
  return { tags, references };
}
