import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

/** What vitest's JSON reporter says in all. */
const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
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
type FileResult = z.infer<typeof Report>['testResults'][number];

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed and why, a line each. */
  failures: readonly string[];
}

export const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };

export function oneFailure(failure: string): Counts {
  return { ...NOTHING, failed: 1, failures: [failure] };
}

/** A run that failed without a failed test, as where a file cannot be loaded, counts as one failure. */
export async function readCounts(
  project: string,
  file: string,
  hasSucceeded: boolean,
): Promise<Counts> {
  const report = Report.safeParse(await readJson(file));
  if (!report.success) return oneFailure(`${project}: ended without a report`);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } =
    report.data;
  const failures = testResults.flatMap(failuresOf);
  if (!hasSucceeded && failures.length === 0)
    failures.push(`${project}: an error outside of tests`);
  return {
    passed: numPassedTests,
    failed: hasSucceeded ? numFailedTests : Math.max(1, numFailedTests),
    skipped: numPendingTests + numTodoTests,
    failures,
  };
}

function failuresOf({ name, status, message, assertionResults }: FileResult): string[] {
  const path = relative(process.cwd(), name);
  const failed = assertionResults.filter((each) => each.status === 'failed');
  if (failed.length === 0 && status === 'failed') return [`${path}: ${firstLine(message)}`];
  return failed.map(
    ({ fullName, failureMessages }) =>
      `${path}: ${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`,
  );
}

function firstLine(text: string): string {
  return stripVTControlCharacters(text).trim().split('\n')[0] ?? '';
}

export function sum(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (total, each) => ({
      passed: total.passed + each.passed,
      failed: total.failed + each.failed,
      skipped: total.skipped + each.skipped,
      failures: [...total.failures, ...each.failures],
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
