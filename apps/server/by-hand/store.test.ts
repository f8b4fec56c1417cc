import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openByHandStore } from './store.ts';
import { checkNotSuspended } from './suspension.ts';

const note = { who: 'ada', at: Date.UTC(2026, 0, 1, 12) };
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-by-hand-'));
  file = join(folder, 'by-hand.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('openByHandStore', () => {
  it('keeps what was done, and forgets owners to whom nothing is done any more', async () => {
    const store = await openByHandStore(file);
    await Promise.all([
      store.change('shop/here', (before) => ({ ...before, suspended: note })),
      store.change('shop/here', (before) => ({
        ...before,
        confirmed: { ...note, release: 'r1' },
      })),
    ]);
    const again = await openByHandStore(file);
    expect(again.all()).toEqual({
      'shop/here': { suspended: note, confirmed: { ...note, release: 'r1' } },
    });
    await again.change('shop/here', () => ({}));
    expect((await openByHandStore(file)).all()).toEqual({});
  });

  it('refuses a file that it does not understand, rather than to forget what is suspended', async () => {
    await writeFile(file, '{"version":2}');
    await expect(openByHandStore(file)).rejects.toThrow(`${file} cannot be read`);
  });
});

describe('checkNotSuspended', () => {
  it('says who, since when, why, and how to go on', () => {
    const all = { 'shop/here': { suspended: { ...note, reason: 'a look' } } };
    expect(() => checkNotSuspended({ all: () => all }, 'shop', 'here')).toThrow(
      'shop/here is suspended by ada since 2026-01-01 12:00 UTC (a look); to go on: windlass resume shop here',
    );
    expect(() => checkNotSuspended({ all: () => all }, 'shop', 'there')).not.toThrow();
  });
});
