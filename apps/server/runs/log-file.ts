import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogBatch, LogLine } from '#core/ports.ts';

const TAIL_BYTES = 64 * 1_024;
const CHUNK_BYTES = 256 * 1_024;
const LINE_END = 10;
const GAP = 'lines are missing here: more came than is held while the server was away';
const UNREADABLE = 'a line is missing here: the file of this log is damaged';

/** A line as it is on disk. `i` counts within the batch; what tells of a gap comes before the first. */
interface Stored extends LogLine {
  n: number;
  i: number;
}

/** How far a file is: it has `lines` lines of batch `n`, and everything before. */
interface Position {
  n: number;
  lines: number;
}

/**
 * The log of a run as a file of JSON lines. Each line carries which one it is, so that the file itself says what it has:
 * a line that a crash cut off is cut away when it is opened again, and no line is there twice.
 */
export interface LogFile {
  /** The last batch of which it has everything. */
  complete(): number;
  /**
   * Takes of the batches after `complete()` what it does not have yet; none at all: there is nothing that it lacks.
   * After an error it must be opened anew.
   */
  append(batches: readonly LogBatch[]): Promise<void>;
  /** What was appended outlives a power cut when it resolves. */
  sync(): Promise<void>;
}

export async function openLogFile(file: string): Promise<LogFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  let position = await withFile(file, 'a+', mend);
  // Whether the last batch is there as a whole is not known of a file that was begun before.
  let isWhole = position.n === 0;
  return {
    complete: () => (isWhole ? position.n : position.n - 1),
    async append(batches) {
      const fresh = batches.flatMap((batch, index) =>
        missing(batch, position, batches[index - 1]?.n ?? position.n),
      );
      const text = fresh.map((line) => `${JSON.stringify(line)}\n`).join('');
      if (text !== '') await withFile(file, 'a', (handle) => handle.appendFile(text));
      const last = batches.at(-1);
      if (last !== undefined) position = { n: last.n, lines: last.lines.length };
      isWhole = true;
    },
    sync: () => withFile(file, 'a', (handle) => handle.sync()),
  };
}

/** The lines that are in the file from byte `from` on, in chunks, each with the byte after it. */
export async function* readLogFile(
  file: string,
  from: number,
): AsyncGenerator<{ lines: LogLine[]; end: number }, void> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  try {
    let end = from;
    let bytes = CHUNK_BYTES;
    for (;;) {
      const chunk = Buffer.alloc(bytes);
      const { bytesRead } = await handle.read(chunk, 0, bytes, end);
      const whole = chunk.subarray(0, bytesRead).lastIndexOf(LINE_END) + 1;
      if (whole > 0) {
        end += whole;
        bytes = CHUNK_BYTES;
        yield { lines: parseLines(chunk.toString('utf8', 0, whole)), end };
      } else if (bytesRead < bytes) return;
      else bytes *= 2;
    }
  } finally {
    await handle.close();
  }
}

function missing({ n, lines }: LogBatch, position: Position, before: number): Stored[] {
  if (n < position.n) return [];
  const had = n === position.n ? position.lines : 0;
  const fresh = lines.slice(had).map((line, index) => ({ n, i: had + index, ...line }));
  const [first] = fresh;
  const isGap = n > before + 1 && first !== undefined;
  return isGap ? [{ ...first, i: -1, line: GAP }, ...fresh] : fresh;
}

/** Cuts away what is no whole line at its end, and tells where the file is then. */
async function mend(handle: FileHandle): Promise<Position> {
  const { size } = await handle.stat();
  for (let bytes = TAIL_BYTES; ; bytes *= 2) {
    const start = Math.max(0, size - bytes);
    const tail = Buffer.alloc(size - start);
    await handle.read(tail, 0, tail.length, start);
    const end = tail.lastIndexOf(LINE_END);
    const begin = end < 1 ? 0 : tail.lastIndexOf(LINE_END, end - 1) + 1;
    if (start > 0 && (end === -1 || begin === 0)) continue;
    const last = parse(tail.toString('utf8', begin, Math.max(begin, end)));
    const whole = start + (last === undefined ? begin : end + 1);
    if (whole < size) await handle.truncate(whole);
    if (last !== undefined) return { n: last.n, lines: last.i + 1 };
    if (whole === 0) return { n: 0, lines: 0 };
    return mend(handle);
  }
}

function parseLines(text: string): LogLine[] {
  return text
    .trimEnd()
    .split('\n')
    .map((each) => {
      const { at, step, line } = parse(each) ?? { at: 0, step: '', line: UNREADABLE };
      return { at, step, line };
    });
}

function parse(text: string): Stored | undefined {
  try {
    return JSON.parse(text) as Stored;
  } catch {
    return undefined;
  }
}

async function withFile<T>(
  file: string,
  flags: string,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(file, flags, 0o600);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
