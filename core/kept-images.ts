import { COMMITS_KEPT, RELEASES_KEPT } from '#core/collect.ts';
import type { Kept } from '#core/collect.ts';
import type { Run } from '#core/run/run.ts';

/**
 * What the collection leaves alone, out of the runs of one pipeline, newest first: the images of the newest commits,
 * of every run that goes on, and of the newest releases of each deploy entry.
 */
export function keptImages(
  runs: readonly Run[],
  repositoryOf: (pipeline: string, image: string) => string,
): Kept {
  const commits = new Set<string>();
  const released = new Map<string, number>();
  const tags = new Set<string>();
  const references = new Set<string>();
  for (const run of runs) {
    const isOpen = run.state === 'queued' || run.state === 'running';
    if (commits.size < COMMITS_KEPT && Object.keys(run.images).length > 0) commits.add(run.commit);
    const isReleased = countRelease(run, released);
    const isRecent = isOpen || commits.has(run.commit);
    if (isRecent) {
      for (const image of run.spec.images) {
        tags.add(`${image.repository ?? repositoryOf(run.pipeline, image.name)}:${run.commit}`);
      }
    }
    if (isRecent || isReleased) {
      for (const reference of Object.values(run.images)) references.add(reference);
    }
  }
  return { tags, references };
}

/** Whether the run's release is among those that are kept for any of its entries. */
function countRelease(run: Run, released: Map<string, number>): boolean {
  let isKept = false;
  for (const { entry, release } of run.deploys) {
    if (release === undefined) continue;
    const count = (released.get(entry) ?? 0) + 1;
    released.set(entry, count);
    isKept ||= count <= RELEASES_KEPT;
  }
  return isKept;
}
