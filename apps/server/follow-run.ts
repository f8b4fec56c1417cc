import type { LogLine, RunNews, RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import type { RunArchive } from './runs/run-archive.ts';

interface Follower {
  onRun: (run: Run) => void;
  /** Waited for before more is told. */
  onLog: (lines: readonly LogLine[]) => void | Promise<void>;
}

/**
 * Tells the run and its log from the beginning to its end, or until aborted; answers the finished run. News say only
 * when to look: the log is told out of its file, so that what was said while the connection was away is told too.
 */
export async function followRun(
  { runs, archive }: { runs: Pick<RunStore, 'follow'>; archive: Pick<RunArchive, 'reader'> },
  followed: Run,
  { onRun, onLog }: Follower,
  signal: AbortSignal,
): Promise<Run | undefined> {
  const ended = new AbortController();
  const reader = archive.reader(followed);
  let last: Run | undefined;
  let failure: unknown;
  let work = Promise.resolve();
  let isLogAsked = false;

  async function take(news: RunNews): Promise<void> {
    if (ended.signal.aborted) return;
    for await (const lines of reader.rest()) await onLog(lines);
    if (news.kind === 'log') return;
    last = news.run;
    onRun(news.run);
    if (isFinished(news.run)) ended.abort();
  }

  function onNews(news: RunNews): void {
    // One look serves all the lines that have come until then.
    if (news.kind === 'log' && isLogAsked) return;
    if (news.kind === 'log') isLogAsked = true;
    work = work
      .then(() => {
        if (news.kind === 'log') isLogAsked = false;
        return take(news);
      })
      .catch((error: unknown) => {
        failure = error;
        ended.abort();
      });
  }

  await runs.follow(followed.id, onNews, AbortSignal.any([signal, ended.signal]));
  await work;
  if (failure !== undefined) throw failure as Error;
  return last;
}
