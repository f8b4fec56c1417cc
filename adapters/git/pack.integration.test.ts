import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openBare } from './bare.ts';
import type { BareRepository } from './bare.ts';
import { packRepository } from './pack.ts';

/** With it no program is found. */
const NOWHERE = { PATH: '/nowhere' };
const BLOBS = 3_000;
const PACKS = 31;
const signal = new AbortController().signal;

let parent = '';
let made = 0;
let repository: BareRepository;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'windlass-pack-'));
});
beforeEach(async () => {
  repository = openBare(join(parent, `${(made += 1)}.git`), process.env);
  await repository.create();
});
afterAll(() => rm(parent, { recursive: true }));

async function importCommits(unpackLimit: number, branch: string, blobs: number): Promise<void> {
  const files = Array.from(
    { length: blobs },
    (_, index) =>
      `M 100644 inline ${index}\ndata ${branch.length + 7}\n${branch}${String(index).padStart(7)}\n`,
  );
  const committer = 'committer Ada <ada@windlass.invalid> 1700000000 +0000';
  const input = `commit refs/heads/${branch}\n${committer}\ndata 5\nFirst\n${files.join('')}`;
  const config = ['-c', `fastimport.unpackLimit=${unpackLimit}`];
  await repository.git([...config, 'fast-import', '--quiet'], { input });
}

async function packs(): Promise<number> {
  const names = await readdir(join(repository.folder, 'objects', 'pack'));
  return names.filter((name) => name.endsWith('.pack')).length;
}

async function loose(): Promise<number> {
  const told = await repository.git(['count-objects']);
  return Number(told.split(' ')[0]);
}

it('asks no git where there is little to pack', async () => {
  await importCommits(1_000, 'main', 20);
  await packRepository(repository.folder, NOWHERE, signal);
  expect(await loose()).toBeGreaterThan(20);
});

it('packs many loose objects', async () => {
  await importCommits(2 * BLOBS, 'main', BLOBS);
  expect(await loose()).toBeGreaterThan(BLOBS);
  await packRepository(repository.folder, process.env, signal);
  expect(await loose()).toBe(0);
});

it('makes one of many packs', async () => {
  for (let pack = 0; pack < PACKS; pack += 1) await importCommits(1, `branch-${pack}`, 2);
  expect(await packs()).toBe(PACKS);
  await packRepository(repository.folder, process.env, signal);
  expect(await packs()).toBe(1);
});
