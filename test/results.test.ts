import { describe, expect, it } from 'vitest';
import { count, filesToRepeat, testsToRepeat } from './results.ts';
import type { FileResult, ProjectRun } from './results.ts';

/** A file of which these tests failed, beside one that passed. */
function file(name: string, ...failed: string[]): FileResult {
  return {
    name: `${process.cwd()}/${name}`,
    status: failed.length === 0 ? 'passed' : 'failed',
    message: '',
    assertionResults: [
      { status: 'passed', fullName: 'is well' },
      ...failed.map((fullName) => ({
        status: 'failed',
        fullName,
        failureMessages: ['Error: away\n    at line 1'],
      })),
    ],
  };
}

function run(...files: FileResult[]): ProjectRun {
  const hasSucceeded = files.every(({ status }) => status === 'passed');
  return { project: 'e2e', hasSucceeded, files };
}

const DOCKER = 'test/conformance/docker.test.ts';

describe('the counts of npm test', () => {
  it('name what failed and why', () => {
    const first = run(file('a.test.ts', 'serves'), file('b.test.ts'));
    expect(count(first)).toEqual({
      passed: 2,
      failed: 1,
      skipped: 0,
      failures: ['a.test.ts: serves: Error: away'],
      flaky: [],
    });
  });

  it('are those of the second run for what was run again, and tell of it', () => {
    const first = run(file('a.test.ts', 'serves'), file('b.test.ts'));
    const mended: FileResult = {
      ...file('a.test.ts'),
      assertionResults: [
        { status: 'passed', fullName: 'is well' },
        { status: 'passed', fullName: 'serves' },
      ],
    };
    expect(count(first, run(mended))).toMatchObject({
      passed: 3,
      failed: 0,
      flaky: ['a.test.ts: serves: Error: away'],
    });
    const again = count(first, run(file('a.test.ts', 'serves', 'ends')));
    expect(again).toMatchObject({ failed: 2, flaky: [] });
    const skipped = run({
      ...mended,
      assertionResults: [{ status: 'skipped', fullName: 'serves' }],
    });
    expect(count(first, skipped)).toMatchObject({ failed: 1, flaky: [] });
  });

  it('are those of the first run for tests that the second left out', () => {
    const first = run(file(DOCKER, 'serves', 'ends (now)'));
    const pattern = new RegExp(testsToRepeat(first) ?? '');
    expect(
      ['serves', 'ends (now)', 'serves twice', 'is well'].map((name) => pattern.test(name)),
    ).toEqual([true, true, false, false]);
    const again: FileResult = {
      ...file(DOCKER),
      assertionResults: [
        { status: 'skipped', fullName: 'is well' },
        { status: 'passed', fullName: 'serves' },
        { status: 'passed', fullName: 'ends (now)' },
      ],
    };
    expect(count(first, run(again))).toMatchObject({ passed: 3, failed: 0, skipped: 0 });
    const broken: FileResult = { ...file(DOCKER), status: 'failed', message: 'no module' };
    expect(testsToRepeat(run(broken))).toBeUndefined();
    expect(testsToRepeat(run(file(DOCKER, 'serves'), file('a.test.ts', 'serves')))).toBeUndefined();
  });

  it('have a failure where a file cannot be loaded, or the run broke', () => {
    const broken: FileResult = { ...file('a.test.ts'), status: 'failed', message: 'no module' };
    expect(count(run(broken)).failures).toEqual(['a.test.ts: no module']);
    expect(count({ ...run(file('a.test.ts')), hasSucceeded: false }).failed).toBe(1);
    expect(count({ project: 'e2e', hasSucceeded: false, files: undefined }).failed).toBe(1);
    const second = { ...run(file('a.test.ts')), hasSucceeded: false };
    expect(count(run(file('a.test.ts', 'serves')), second).failed).toBe(1);
  });

  it('come of one run where more failed than chance explains', () => {
    const files = ['a', 'b', 'c', 'd'].map((name) => file(name, 'serves'));
    expect(filesToRepeat(run(...files))).toEqual([]);
    expect(filesToRepeat(run(...files.slice(1)))).toHaveLength(3);
    expect(filesToRepeat(run(file('a')))).toEqual([]);
    const many = Array.from({ length: 17 }, (_, index) => `behaviour ${index}`);
    expect(filesToRepeat(run(file(DOCKER, ...many)))).toEqual([]);
    expect(filesToRepeat(run(file(DOCKER, ...many.slice(1))))).toHaveLength(1);
    expect(filesToRepeat(run(file('a.test.ts', ...many)))).toHaveLength(1);
  });

  it('say of a test that it did not end in time', () => {
    const late: FileResult = file('a.test.ts', 'ends');
    const [, test] = late.assertionResults;
    Object.assign(test ?? {}, { failureMessages: ['Error: STACK_TRACE_ERROR\n    at line 1'] });
    expect(count(run(late)).failures).toEqual(['a.test.ts: ends: it did not end in time']);
  });
});
