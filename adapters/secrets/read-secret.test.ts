import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSecretReader } from './read-secret.ts';

const readSecret = createSecretReader({ SET: 'from here', EMPTY: '' });
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-secret-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function fileOf(content: string): Promise<string> {
  const file = join(folder, 'secret');
  await writeFile(file, content);
  return file;
}

it('reads a variable, and a file without its last line end', async () => {
  expect((await readSecret({ env: 'SET' })).reveal()).toBe('from here');
  expect((await readSecret({ file: await fileOf('a\nb\r\n') })).reveal()).toBe('a\nb');
});

it.each(['EMPTY', 'ABSENT'])('refuses the variable %s', async (env) => {
  await expect(readSecret({ env })).rejects.toMatchObject({ code: 'not-found' });
});

it.each(['', '\n', '\r\n'])('refuses a file of which nothing is left: %j', async (content) => {
  const file = await fileOf(content);
  await expect(readSecret({ file })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('is empty'),
  });
});

it('refuses a file that is not there', async () => {
  await expect(readSecret({ file: join(folder, 'none') })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('cannot be read'),
  });
});
