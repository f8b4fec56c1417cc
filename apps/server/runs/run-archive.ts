import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { LogLine, RunKeeping, RunNews, RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { writeJsonFile } from '#adapters/state/json-file.ts';
import { openLogFile, readLogFile } from './log-file.ts';
import type { LogFile } from './log-file.ts';
import { createPasses } from './passes.ts';

const BATCHES_AT_ONCE = 100;
const RUN_FILE = '.json';
const LOG_FILE = '.log';

/** Of a finished run; what it holds beside is as the version that wrote it had it. */
const RunFile = z.looseObject({
  version: z.literal(1),
  run: z.looseObject({ id: z.string(), pipeline: z.string(), createdAt: z.number() }),
});

type RunName = Pick<Run, 'id' | 'pipeline'>;

/** Reads a run's log from its beginning on. */
export interface LogReader {
  /** What has come since the last call, in chunks. */
  rest(): AsyncIterable<LogLine[]>;
}

/**
 * Runs as files, `<pipeline>/<id>.log` and, once they have ended, `<pipeline>/<id>.json`: every line once, whatever
 * happens to the server in between. Redis holds lines only until they are here.
 */
export interface RunArchive {
  reader(run: RunName): LogReader;
  /** Files what has come of the logs of all runs, and the runs that have ended. */
  sweep(): Promise<void>;
  /** Does so as it comes, until aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Puts runs back that ended and that Redis has lost. */
  restore(): Promise<void>;
  /** Pipelines that have runs here. */
  pipelines(): Promise<string[]>;
  /** Ids of what is here of a pipeline, with when its files were last written. */
  filed(pipeline: string): Promise<{ id: string; at: number }[]>;
  remove(run: RunName): Promise<void>;
}

interface RunArchiveDependencies {
  folder: string;
  runs: RunStore & RunKeeping;
  log: Logger;
}

export function createRunArchive({ folder, runs, log }: RunArchiveDependencies): RunArchive {
  /** How far files are that may go on. Only so as not to look again: what is missing here is read from its file. */
  const open = new Map<string, { run: RunName; file: LogFile }>();
  const store = createPasses(async (run: RunName) => storeLog(run));

  function pathOf({ id, pipeline }: RunName, ending: string): string {
    return join(folder, pipeline, `${id}${ending}`);
  }

  async function storeLog(run: RunName): Promise<void> {
    try {
      const { id, pipeline } = run;
      const file = open.get(id)?.file ?? (await openLogFile(pathOf(run, LOG_FILE)));
      open.set(id, { run: { id, pipeline }, file });
      await storeBatches(id, file);
    } catch (error) {
      open.delete(run.id);
      throw error;
    }
  }

  async function storeBatches(id: string, file: LogFile): Promise<void> {
    const batches = await runs.logAfter(id, file.complete(), BATCHES_AT_ONCE);
    await file.append(batches);
    if (batches.length === BATCHES_AT_ONCE) await storeBatches(id, file);
  }

  /** Also of a run that was filed before: a line may come late. */
  async function fileRun(id: string): Promise<void> {
    const run = await runs.get(id);
    if (run === undefined) {
      await runs.archived(id, Number.MAX_SAFE_INTEGER);
      return;
    }
    if (run.state === 'queued') return;
    await store(id, run);
    if (!isFinished(run)) return;
    const stored = open.get(id)?.file;
    if (stored === undefined) return;
    await stored.sync();
    await writeJsonFile(pathOf(run, RUN_FILE), { version: 1, run });
    await runs.archived(id, stored.complete());
    open.delete(id);
  }

  /** Of others only their readers are left: whoever reads a run that was filed opens its file again. */
  function closeAllBut(unarchived: ReadonlySet<string>): void {
    for (const id of open.keys()) if (!unarchived.has(id)) open.delete(id);
  }

  async function take(news: RunNews): Promise<void> {
    if (news.kind === 'run') {
      if (isFinished(news.run)) await fileRun(news.run.id);
      return;
    }
    const run = open.get(news.runId)?.run ?? (await runs.get(news.runId));
    if (run !== undefined) await store(run.id, run);
  }

  async function* rest(run: RunName, from: { end: number }): AsyncGenerator<LogLine[], void> {
    try {
      await store(run.id, run);
    } catch (error) {
      log.error({ run: run.id, err: error }, 'the log of a run is not up to date');
    }
    for await (const { lines, end } of readLogFile(pathOf(run, LOG_FILE), from.end)) {
      yield lines;
      from.end = end;
    }
  }

  return {
    reader(run) {
      const from = { end: 0 };
      return { rest: () => rest(run, from) };
    },
    async sweep() {
      const unarchived = await runs.unarchived();
      closeAllBut(new Set(unarchived));
      for (const id of unarchived) await fileRun(id);
    },
    watch: (signal) =>
      runs.follow(
        undefined,
        (news) => {
          take(news).catch((error: unknown) => {
            if (signal.aborted) return;
            log.error({ err: error }, 'a log was not written; the next sweep tries again');
          });
        },
        signal,
      ),
    async restore() {
      for (const pipeline of await foldersIn(folder)) {
        const lost = await runs.unknown(await namesIn(join(folder, pipeline), RUN_FILE));
        const found = await Promise.all(
          lost.map((id) => readRun(pathOf({ id, pipeline }, RUN_FILE), log)),
        );
        const newestFirst = found
          .filter((run) => run !== undefined)
          .toSorted((one, other) => other.createdAt - one.createdAt);
        await runs.restore(newestFirst);
        if (newestFirst.length > 0)
          log.info({ pipeline, runs: newestFirst.length }, 'runs were read back from their files');
      }
    },
    pipelines: () => foldersIn(folder),
    async filed(pipeline) {
      const below = join(folder, pipeline);
      const logs = await namesIn(below, LOG_FILE);
      return Promise.all(
        logs.map(async (id) => {
          const { mtimeMs } = await stat(join(below, `${id}${LOG_FILE}`));
          return { id, at: mtimeMs };
        }),
      );
    },
    async remove(run) {
      for (const ending of [RUN_FILE, LOG_FILE]) await rm(pathOf(run, ending), { force: true });
    },
  };
}

async function readRun(file: string, log: Logger): Promise<Run | undefined> {
  try {
    return RunFile.parse(JSON.parse(await readFile(file, 'utf8'))).run as unknown as Run;
  } catch (error) {
    log.error({ file, err: error }, 'a run cannot be read back');
    return undefined;
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function namesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
}
