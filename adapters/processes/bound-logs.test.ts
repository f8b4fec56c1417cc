import { appendFile, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { boundLog } from './bound-logs.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-logs-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('keeps what was written before apart, and whoever has the log open goes on', async () => {
  const file = join(folder, 'redis.log');
  const writer = await open(file, 'a');
  await writer.write('first\n');
  await boundLog(file, 6);
  expect(await readdir(folder)).toEqual(['redis.log']);
  await writer.write('second\n');
  await boundLog(file, 6);
  await writer.write('third\n');
  await writer.close();
  expect(await readFile(`${file}.1`, 'utf8')).toBe('first\nsecond\n');
  expect(await readFile(file, 'utf8')).toBe('third\n');
  await appendFile(file, 'fourth\n');
  await boundLog(file, 6);
  expect(await readFile(`${file}.1`, 'utf8')).toBe('third\nfourth\n');
});

it('lets be what is not there', async () => {
  await expect(boundLog(join(folder, 'registry.log'), 0)).resolves.toBeUndefined();
});
