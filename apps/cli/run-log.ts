import { setTimeout as sleep } from 'node:timers/promises';
import { RunLogEvent } from '#core/api/run.ts';
import { UserError } from '#core/errors.ts';
import { isFinished } from '#core/run/run.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';
import type { CliContext } from './context.ts';
import { painter } from './format/colour.ts';
import { runVerdict } from './format/run.ts';
import { printedLine } from './format/terminal.ts';

/** A server that is started anew is back by then. */
const PATIENCE_MS = 120_000;
const RETRY_MS = 1_000;

interface RunLog {
  follow: boolean;
  json: boolean;
}

/**
 * Prints a run's log; following, to its end, and then exits 1 unless it succeeded. Where the server goes away meanwhile
 * it goes on when that is back: a log is told from its beginning, so what was printed already is left out.
 */
export async function printRunLog(
  context: CliContext,
  client: ApiClient,
  id: string,
  options: RunLog,
): Promise<void> {
  const progress: Progress = { lines: 0, wasHeard: false };
  while (!(await printRest(context, client, id, options, progress))) {
    progress.awaySince ??= context.now();
    await sleep(RETRY_MS, undefined, { signal: context.signal });
  }
}

interface Progress {
  /** Printed so far. */
  lines: number;
  wasHeard: boolean;
  /** Absent while the server answers. */
  awaySince?: number;
}

/** Answers whether there is nothing more to come; not where the server went away and may come back. */
async function printRest(
  context: CliContext,
  client: ApiClient,
  id: string,
  options: RunLog,
  progress: Progress,
): Promise<boolean> {
  try {
    return (await printWhatCame(context, client, id, options, progress)) || !options.follow;
  } catch (error) {
    const isAway = error instanceof UserError && error.code === 'unavailable';
    const { awaySince = context.now() } = progress;
    const isWorthIt = progress.wasHeard && context.now() - awaySince < PATIENCE_MS;
    if (!options.follow || !isAway || !isWorthIt) throw error;
    return false;
  }
}

/** Answers whether the run has ended. */
async function printWhatCame(
  context: CliContext,
  client: ApiClient,
  id: string,
  { follow, json }: RunLog,
  progress: Progress,
): Promise<boolean> {
  const paint = painter(context.colour);
  const path = apiPath(['runs', id, 'logs'], { follow: follow ? '1' : undefined });
  let lines = 0;
  for await (const event of client.stream(path, RunLogEvent)) {
    progress.wasHeard = true;
    delete progress.awaySince;
    if (event.kind === 'log') {
      lines += 1;
      if (lines <= progress.lines) continue;
      progress.lines = lines;
    }
    if (json) context.out(JSON.stringify(event));
    else if (event.kind === 'log')
      context.out(`${paint('dim', `${event.step} |`)} ${printedLine(event.line, context.colour)}`);
    if (!follow || event.kind !== 'run' || !isFinished(event.run)) continue;
    if (!json) runVerdict(event.run, paint).forEach((line) => context.out(line));
    if (event.run.state !== 'succeeded') context.setExitCode(1);
    return true;
  }
  return false;
}
