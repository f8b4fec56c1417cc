import type { LogLine, RunStore } from '#core/ports.ts';

const FLUSH_MS = 100;
const FLUSH_LINES = 50;
const LINE_CHARACTERS = 4_000;
const STEP_LINES = 50_000;

/** Writes a run's log in batches. Bounded: a long line is cut, a step that floods is cut off with a note. */
export interface RunLog {
  write(step: string, line: string): void;
  /** Waits until everything is stored; fails where storing has failed. */
  flush(): Promise<void>;
}

export function createRunLog(
  runs: Pick<RunStore, 'appendLog'>,
  runId: string,
  now: () => number,
): RunLog {
  const counts = new Map<string, number>();
  let waiting: LogLine[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting;
    waiting = [];
    if (lines.length === 0) return;
    writing = writing.then(() => runs.appendLog(runId, lines));
    // Told by `flush`, which every caller awaits at its end.
    writing.catch(() => undefined);
  }

  return {
    write(step, line) {
      const count = (counts.get(step) ?? 0) + 1;
      counts.set(step, count);
      if (count > STEP_LINES + 1) return;
      const text =
        count > STEP_LINES ? 'more lines than are kept: the rest is left out' : cut(line);
      waiting.push({ at: now(), step, line: text });
      if (waiting.length >= FLUSH_LINES) send();
      else timer ??= setTimeout(send, FLUSH_MS);
    },
    async flush() {
      send();
      await writing;
    },
  };
}

function cut(line: string): string {
  return line.length <= LINE_CHARACTERS ? line : `${line.slice(0, LINE_CHARACTERS)}…`;
}
