import type { LogLine, RunStore } from '#core/ports.ts';

const FLUSH_MS = 100;
const FLUSH_LINES = 50;
const FLUSH_CHARACTERS = 32_000;
const LINE_CHARACTERS = 4_000;
const STEP_LINES = 50_000;
const STEP_CHARACTERS = 8_000_000;
const CUT_OFF = 'more than is kept: the rest of this step is left out';

/**
 * Writes a run's log in batches. Bounded: a long line is cut, a step that floods is cut off with a note, and a writer
 * that gets ahead of the store holds no more than that.
 */
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
  const written = new Map<string, { lines: number; characters: number }>();
  let waiting: LogLine[] = [];
  let characters = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting;
    waiting = [];
    characters = 0;
    if (lines.length === 0) return;
    writing = writing.then(() => runs.appendLog(runId, lines));
    // Told by `flush`, which every caller awaits at its end.
    writing.catch(() => undefined);
  }

  function add(step: string, line: string): void {
    waiting.push({ at: now(), step, line });
    characters += line.length;
    if (waiting.length >= FLUSH_LINES || characters >= FLUSH_CHARACTERS) send();
    else timer ??= setTimeout(send, FLUSH_MS);
  }

  return {
    write(step, line) {
      const before = written.get(step) ?? { lines: 0, characters: 0 };
      if (isFull(before)) return;
      const text = cut(line);
      const after = { lines: before.lines + 1, characters: before.characters + text.length };
      written.set(step, after);
      add(step, text);
      if (isFull(after)) add(step, CUT_OFF);
    },
    async flush() {
      send();
      await writing;
    },
  };
}

function isFull({ lines, characters }: { lines: number; characters: number }): boolean {
  return lines >= STEP_LINES || characters >= STEP_CHARACTERS;
}

function cut(line: string): string {
  return line.length <= LINE_CHARACTERS ? line : `${line.slice(0, LINE_CHARACTERS)}…`;
}
