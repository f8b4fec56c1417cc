import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '#core/errors.ts';
import {
  count,
  filesToRepeat,
  lastLine,
  oneFailure,
  readFiles,
  sum,
  testsToRepeat,
} from './results.ts';
import type { Counts, ProjectRun } from './results.ts';
import { setUp } from './set-up.ts';

const CHECKS = [
  ['types', 'tsc', '--noEmit'],
  ['lint', 'oxlint', '--type-aware'],
  ['format', 'oxfmt', '--check'],
  ['unused code', 'knip'],
] as const;
/** One after the other: beside each other, what must be in time is not, and what is to lose no request loses some. */
const PROJECTS = ['unit', 'integration', 'engines', 'conformance', 'fleet', 'e2e'];

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());

process.exitCode = (await testAll()) ? 0 : 1;

/** Sets up what tests need, runs everything and tells what failed and, in the last line, the sum. */
async function testAll(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-test-'));
  let end: (() => Promise<void>) | undefined;
  const counts: Counts[] = [];
  try {
    const begun = performance.now();
    say('== setup: Docker Engine, Redis, registry, images');
    end = await setUp(say, stop.signal);
    told('setup', begun, true);
    for (const [name, command, ...args] of CHECKS) {
      if (!(await run(name, command, args))) counts.push(oneFailure(`${name}: see above`));
    }
    const runs: ProjectRun[] = [];
    for (const project of PROJECTS) runs.push(await runVitest(project, folder));
    for (const first of runs) counts.push(count(first, await runAgain(first, folder)));
  } catch (error) {
    counts.push(oneFailure(describe(error)));
  } finally {
    await end?.();
    await rm(folder, { recursive: true, force: true });
  }
  const total = sum(counts);
  for (const failure of total.flaky) say(`FLAKY, passed when run again: ${failure}`);
  for (const failure of total.failures) say(`FAILED ${failure}`);
  say(lastLine(total));
  return total.failed === 0;
}

/**
 * What fails beside real engines and processes may be chance: its files, or its tests alone where they stand apart, are
 * run once more, and that is told.
 */
async function runAgain(first: ProjectRun, folder: string): Promise<ProjectRun | undefined> {
  const files = first.project === 'unit' ? [] : filesToRepeat(first);
  if (files.length === 0) return undefined;
  return runVitest(first.project, folder, { files, tests: testsToRepeat(first) });
}

async function runVitest(
  project: string,
  folder: string,
  again?: { files: readonly string[]; tests: string | undefined },
): Promise<ProjectRun> {
  const report = join(folder, `${project}${again === undefined ? '' : '-again'}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const names = again?.tests === undefined ? [] : ['-t', again.tests];
  const args = ['run', '--project', project, ...reporters, ...names, ...(again?.files ?? [])];
  const name = `${project} tests${again === undefined ? '' : ' that failed, once more'}`;
  const hasSucceeded = await run(name, 'vitest', args);
  return { project, hasSucceeded, files: await readFiles(report) };
}

/** The programs are on the PATH: setup/run.mjs puts the project's own first. */
async function run(name: string, command: string, args: readonly string[]): Promise<boolean> {
  stop.signal.throwIfAborted();
  const begun = performance.now();
  say(
    `== ${name}: ${[command, ...args.filter((arg) => !arg.startsWith('--outputFile'))].join(' ')}`,
  );
  const child = spawn(command, args, { stdio: 'inherit' });
  // A terminal tells both; vitest cleans up at an interrupt alone.
  function interrupt(): void {
    child.kill('SIGINT');
  }
  process.once('SIGTERM', interrupt);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGTERM', interrupt);
  told(name, begun, code === 0);
  return code === 0;
}

function told(name: string, begun: number, isGood: boolean): void {
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  say(`== ${name}: ${isGood ? 'ok' : 'FAILED'} (${seconds} s)`);
}

function describe(error: unknown): string {
  const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
  return `${messageOf(error)}${hint}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
