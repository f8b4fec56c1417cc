import { handlesHead } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

/** Every run by when it was recorded; below it, by pipeline. */
export const RUNS = 'windlass:runs';
/** Those that are queued or running; below it, by pipeline and branch. */
export const UNFINISHED = 'windlass:unfinished';
/** Commit by pipeline and branch. */
export const HEADS = 'windlass:heads';
/** Runs of which something may not be in files yet. */
export const UNARCHIVED = 'windlass:unarchived';

export function runKey(id: string): string {
  return `windlass:run:${id}`;
}

export function runsOf(pipeline: string): string {
  return `${RUNS}:${pipeline}`;
}

export function channelOf(runId: string): string {
  return `windlass:news:${runId}`;
}

/** The stream of batches that are held of a run's log, and the number of the last one. */
export function logKeys(runId: string): [stream: string, last: string] {
  return [`windlass:lines:${runId}`, `windlass:lines:${runId}:last`];
}

export function headField(pipeline: string, branch: string): string {
  return `${pipeline} ${branch}`;
}

/** Absent for one that handles no head. */
export function handledHeadField(
  run: Pick<Run, 'pipeline' | 'branch' | 'trigger' | 'attempt'>,
): string | undefined {
  return handlesHead(run) ? headField(run.pipeline, run.branch) : undefined;
}
