import type { LogLine, RunNews, RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

interface Follower {
  onRun: (run: Run) => void;
  onLog: (lines: readonly LogLine[]) => void;
}

/**
 * Tells the run and its log from the beginning to its end, or until aborted; answers the finished run. What was said
 * while the connection was away is read again from the store.
 */
export async function followRun(
  runs: Pick<RunStore, 'follow' | 'readLog'>,
  id: string,
  { onRun, onLog }: Follower,
  signal: AbortSignal,
): Promise<Run | undefined> {
  const ended = new AbortController();
  const told = new Set<string>();
  let last: Run | undefined;
  let failure: unknown;
  let work = Promise.resolve();

  function tellLog(lines: readonly LogLine[]): void {
    const keys = keysOf(lines);
    const fresh = lines.filter((_line, index) => !told.has(keys[index] ?? ''));
    for (const key of keys) told.add(key);
    if (fresh.length > 0) onLog(fresh);
  }

  async function take(news: RunNews): Promise<void> {
    if (ended.signal.aborted) return;
    if (news.kind === 'log') {
      tellLog(news.lines);
      return;
    }
    if (news.event === undefined || isFinished(news.run)) tellLog(await runs.readLog(id));
    last = news.run;
    onRun(news.run);
    if (isFinished(news.run)) ended.abort();
  }

  await runs.follow(
    id,
    (news) => {
      work = work
        .then(() => take(news))
        .catch((error: unknown) => {
          failure = error;
          ended.abort();
        });
    },
    AbortSignal.any([signal, ended.signal]),
  );
  await work;
  if (failure !== undefined) throw failure as Error;
  return last;
}

/** Lines that are alike are told apart by their count. */
function keysOf(lines: readonly LogLine[]): string[] {
  const counts = new Map<string, number>();
  return lines.map(({ at, step, line }) => {
    const text = `${at} ${step} ${line}`;
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    return `${count} ${text}`;
  });
}
