import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockState } from './lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-state-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('lockState', () => {
  it('refuses a second holder and names the first', async () => {
    const lock = await lockState(join(folder, 'server.lock'));
    await expect(lockState(join(folder, 'server.lock'))).rejects.toThrow(`process ${process.pid}`);
    await lock.release();
    await (await lockState(join(folder, 'server.lock'))).release();
  });

  it.each([
    ['of a process that is gone', JSON.stringify({ pid: 2 ** 22 - 1 })],
    ['of an earlier process of that id', JSON.stringify({ pid: process.pid, began: '1' })],
    ['that is cut off', '{"pid":'],
  ])('takes over a lock %s', async (_case, text) => {
    const file = join(folder, 'server.lock');
    await writeFile(file, text);
    const lock = await lockState(file);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
  });
});
