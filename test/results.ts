import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

/** What vitest's JSON reporter says of each file. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          status: z.string(),
          fullName: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});
export type FileResult = z.infer<typeof Report>['testResults'][number];
type TestResult = FileResult['assertionResults'][number];

/** How one run of vitest ended. */
export interface ProjectRun {
  project: string;
  hasSucceeded: boolean;
  /** Absent where it ended without a report. */
  files: readonly FileResult[] | undefined;
}

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed and why, a line each. */
  failures: readonly string[];
  /** What failed at first and passed when its file was run again, a line each. */
  flaky: readonly string[];
}

const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0, failures: [], flaky: [] };

/** More than so many files, or tests that stand apart, do not fail by chance: eight of those go on at once. */
const MOST_AGAIN = 3;
const MOST_TESTS_AGAIN = 16;
/** What vitest's report has in place of its words for a test that did not end in time. */
const UNSAID = 'Error: STACK_TRACE_ERROR';

/** Tests there need nothing of the ones before them in their file. */
const APART = '/test/conformance/';

export function oneFailure(failure: string): Counts {
  return { ...NOTHING, failed: 1, failures: [failure] };
}

export async function readFiles(file: string): Promise<FileResult[] | undefined> {
  return Report.safeParse(await readJson(file)).data?.testResults;
}

/** The files to run once more: the failed ones, where that may be chance. */
export function filesToRepeat({ files = [], hasSucceeded }: ProjectRun): string[] {
  const failed = files.filter((file) => failuresOf(file).length > 0);
  const apart = failed.filter(standsApart).flatMap(failedTestsOf);
  const isChance = failed.length <= MOST_AGAIN && apart.length <= MOST_TESTS_AGAIN;
  return hasSucceeded || !isChance ? [] : failed.map(({ name }) => name);
}

/** A pattern of vitest's for the names of the failed tests; absent where whole files are to be repeated. */
export function testsToRepeat({ files = [] }: ProjectRun): string | undefined {
  const failed = files.filter((file) => failuresOf(file).length > 0);
  if (!failed.every(standsApart)) return undefined;
  if (failed.some((file) => failedTestsOf(file).length === 0)) return undefined;
  const names = failed.flatMap(failedTestsOf).map(({ fullName }) => escapePattern(fullName));
  return `^(${names.join('|')})$`;
}

/**
 * Counts a run, with the second run of its failed files, or of their failed tests, where there was one: that one counts
 * for what it ran. A run that failed without a failed test, as where a file cannot be loaded, counts as one failure.
 */
export function count(first: ProjectRun, again?: ProjectRun): Counts {
  const last = again ?? first;
  if (first.files === undefined || last.files === undefined)
    return oneFailure(`${first.project}: ended without a report`);
  const repeated = new Map(again?.files?.map((file) => [file.name, file]));
  const files = first.files.map((file) => replaced(file, repeated.get(file.name)));
  const states = files.flatMap(({ assertionResults }) => assertionResults.map((one) => one.status));
  const failures = files.flatMap(failuresOf);
  if (!last.hasSucceeded && failures.length === 0)
    failures.push(`${first.project}: an error outside of tests`);
  return {
    passed: states.filter((state) => state === 'passed').length,
    failed: failures.length,
    skipped: states.filter((state) => state !== 'passed' && state !== 'failed').length,
    failures,
    flaky: first.files.flatMap((file) => flakyIn(file, repeated.get(file.name))),
  };
}

/** The second run's file, with the first run's results of what the second left out. */
function replaced(file: FileResult, again: FileResult | undefined): FileResult {
  if (again === undefined) return file;
  const before = new Map(file.assertionResults.map((test) => [test.fullName, test]));
  const assertionResults = again.assertionResults.map((test) =>
    hasRun(test) ? test : (before.get(test.fullName) ?? test),
  );
  return { ...again, assertionResults };
}

function hasRun({ status }: TestResult): boolean {
  return status === 'passed' || status === 'failed';
}

/** What failed in the first run and passed in the second, a line each. */
function flakyIn(file: FileResult, again: FileResult | undefined): string[] {
  if (again === undefined) return [];
  const failed = failedTestsOf(file);
  if (failed.length === 0) return again.status === 'passed' ? failuresOf(file) : [];
  const passed = again.assertionResults.filter(({ status }) => status === 'passed');
  const names = new Set(passed.map(({ fullName }) => fullName));
  const flaky = failed.filter(({ fullName }) => names.has(fullName));
  return flaky.length === 0 ? [] : failuresOf({ ...file, assertionResults: flaky });
}

function failuresOf(file: FileResult): string[] {
  const { name, status, message } = file;
  const path = relative(process.cwd(), name);
  const failed = failedTestsOf(file);
  if (failed.length === 0 && status === 'failed') return [`${path}: ${firstLine(message)}`];
  return failed.map(
    ({ fullName, failureMessages }) =>
      `${path}: ${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`,
  );
}

function standsApart({ name }: FileResult): boolean {
  return name.includes(APART);
}

function failedTestsOf({ assertionResults }: FileResult): TestResult[] {
  return assertionResults.filter(({ status }) => status === 'failed');
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}

function firstLine(text: string): string {
  const line = stripVTControlCharacters(text).trim().split('\n')[0] ?? '';
  return line === UNSAID ? 'it did not end in time' : line;
}

export function sum(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (total, each) => ({
      passed: total.passed + each.passed,
      failed: total.failed + each.failed,
      skipped: total.skipped + each.skipped,
      failures: [...total.failures, ...each.failures],
      flaky: [...total.flaky, ...each.flaky],
    }),
    NOTHING,
  );
}

export function lastLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}
