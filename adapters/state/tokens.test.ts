import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTokens, readTokens, resetTokens } from './tokens.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-tokens-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('makes them once, for the owner only', async () => {
  const { admin, worker } = await openTokens(folder);
  expect(await readTokens(folder)).toMatchObject({ admin, worker });
  expect((await openTokens(folder)).admin).toBe(admin);
  expect((await stat(join(folder, 'tokens.json'))).mode & 0o777).toBe(0o600);
});

it('resets one and keeps the other, which a server takes when it looks', async () => {
  const tokens = await openTokens(folder);
  const { admin, worker } = tokens;
  const reset = await resetTokens(folder, ['admin']);
  expect(reset.worker).toBe(worker);
  expect(reset.admin).not.toBe(admin);
  expect(tokens.admin).toBe(admin);
  await tokens.refresh();
  expect(tokens.admin).toBe(reset.admin);
  expect((await stat(join(folder, 'tokens.json'))).mode & 0o777).toBe(0o600);
});

it('keeps what a server has while the file is damaged', async () => {
  const tokens = await openTokens(folder);
  const { admin } = tokens;
  await writeFile(join(folder, 'tokens.json'), '{"admin":');
  await expect(tokens.refresh()).rejects.toThrow('does not hold the tokens');
  expect(tokens.admin).toBe(admin);
});

it('says where there are none', async () => {
  await expect(resetTokens(folder, ['admin'])).rejects.toThrow(`there is no ${folder}`);
});
