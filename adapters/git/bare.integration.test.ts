import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBare } from './bare.ts';
import type { BareRepository } from './bare.ts';

const MAIN = 'refs/heads/main';
/** With it no program is found. */
const NOWHERE = { PATH: '/nowhere' };

let folder = '';
let repository: BareRepository;
let commit = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-bare-'));
  repository = openBare(join(folder, 'shop.git'), process.env);
  await repository.create();
  const committer = 'committer Ada <ada@windlass.invalid> 1700000000 +0000';
  const input = `commit ${MAIN}\n${committer}\ndata 5\nFirst\n`;
  await repository.git(['fast-import', '--quiet'], { input });
  commit = (await repository.git(['rev-parse', MAIN])).trim();
});
afterAll(() => rm(folder, { recursive: true }));

it('resolves a ref without a git process, and one that is packed with it', async () => {
  const alone = openBare(repository.folder, NOWHERE);
  expect(await alone.resolve(MAIN)).toBe(commit);
  await repository.git(['pack-refs', '--all']);
  await expect(alone.resolve(MAIN)).rejects.toThrow('ENOENT');
  expect(await repository.resolve(MAIN)).toBe(commit);
});

it.each(['refs/heads/other', 'refs/heads', 'HEAD'])('resolves no %s', async (ref) => {
  expect(await repository.resolve(ref)).toBeUndefined();
});

it('resolves nothing where there is no repository', async () => {
  expect(await openBare(join(folder, 'none.git'), process.env).resolve(MAIN)).toBeUndefined();
});
