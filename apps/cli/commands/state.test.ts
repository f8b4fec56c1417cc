import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFakeWorld } from '../fake-world.ts';
import type { FakeWorld } from '../fake-world.ts';
import { bytesText } from '../format/bytes.ts';

const TOKENS = { admin: 'the admin token of now', worker: 'the worker token of now' };
let world: FakeWorld;

beforeEach(async () => {
  world = await openFakeWorld({});
  const state = join(world.folder, '.windlass');
  await mkdir(state);
  await writeFile(join(state, 'tokens.json'), JSON.stringify(TOKENS));
  await writeFile(join(state, 'state-version.json'), '{"version":2}');
});
afterEach(() => world.close());

async function tokensIn(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(world.folder, folder, 'tokens.json'), 'utf8'));
}

describe('backup and restore', () => {
  it('bring a state folder to another place', async () => {
    const made = await world.run('backup', 'b.tar.gz');
    expect(made.out[0]).toMatch(
      /wrote .*b\.tar\.gz: 0 repositories, 2 files, \d+ B; keep it secret/,
    );
    const restored = await world.run('restore', 'b.tar.gz', '--state', 'other');
    expect(restored.out[0]).toMatch(/other is as it was at 2027-01-15T/);
    expect(await tokensIn('other')).toEqual(TOKENS);
  });

  it('refuse what would destroy something', async () => {
    await world.run('backup', 'b.tar.gz');
    const again = await world.run('backup', 'b.tar.gz');
    expect(again).toMatchObject({ code: 1, out: [] });
    expect(again.notes[0]).toContain('is there already');
    const over = await world.run('restore', 'b.tar.gz');
    expect(over.notes.join('\n')).toMatch(/is in use: it holds .*\nhint: stop Windlass and move/);
  });

  it('answer in JSON', async () => {
    const { out } = await world.run('backup', 'b.tar.gz', '--json');
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ repositories: 0, files: 2 });
  });

  it('find no state folder where there is none', async () => {
    const { notes } = await world.run('backup', 'b.tar.gz', '--state', 'none');
    expect(notes[0]).toContain('is no state folder');
  });
});

describe('token reset', () => {
  it.each([
    [[], ['admin']],
    [['worker'], ['worker']],
    [['metrics'], ['metrics']],
    [['all'], ['admin', 'worker', 'metrics']],
  ])('%j replaces those of %j', async (args, roles) => {
    const { code, out } = await world.run('token', 'reset', ...args, '--json');
    expect(code).toBe(0);
    const fresh = JSON.parse(out[0] ?? '') as Record<string, string>;
    expect(Object.keys(fresh)).toEqual(roles);
    expect(await tokensIn('.windlass')).toEqual({ ...TOKENS, ...fresh });
    for (const token of Object.values(fresh)) expect(token).toHaveLength(32);
  });

  it('prints the new token, and what to do with it', async () => {
    const { out, notes } = await world.run('token', 'reset');
    expect(out[0]).toMatch(/^admin {2}\S{32}$/);
    expect(notes[0]).toContain('windlass login');
  });

  it('refuses a role that is not known', async () => {
    expect((await world.run('token', 'reset', 'nobody')).code).toBe(1);
  });
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [12_340_000_000, '12.3 GB'],
])('%i bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
