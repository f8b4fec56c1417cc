import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatProblem } from '#core/errors.ts';
import { checkFiles } from './check-files.ts';

const root = join(import.meta.dirname, '../..');
const signal = new AbortController().signal;
const context = { cwd: root, machine: process.env, signal, note: () => undefined };

it.each([
  'pipelines',
  'test/fixtures/declarations/valid',
  ...readdirSync(join(root, 'examples')).map((name) => `examples/${name}/deploy`),
])('has no problem with %s, which is shipped', async (path) => {
  const { files, problems } = await checkFiles(context, [path]);
  expect(files).not.toEqual([]);
  expect(problems.map(formatProblem)).toEqual([]);
});
