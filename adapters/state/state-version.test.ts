import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkStateVersion,
  readStateVersion,
  STATE_VERSION,
  upgradeState,
} from './state-version.ts';
import type { StateUpgrade } from './state-version.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-version-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function write(name: string, content: unknown): Promise<void> {
  return writeFile(join(folder, name), JSON.stringify(content));
}

describe('upgradeState', () => {
  const TOKENS = { admin: 'the admin token of old', worker: 'the worker token of old' };

  function steps(...versions: number[]): { upgrades: StateUpgrade[]; ran: number[] } {
    const ran: number[] = [];
    const upgrades = versions.map((to) => ({
      to,
      run: async () => {
        ran.push(to);
      },
    }));
    return { upgrades, ran };
  }

  it.each([
    ['a new folder needs none', undefined, []],
    ['one of before versions gets all, in order', 0, [2, 3, 4]],
    ['one in between gets the rest', 3, [4]],
    ['one that is current gets none', 4, []],
  ])('%s', async (_case, version, expected) => {
    if (version === 0) await write('tokens.json', TOKENS);
    else if (version !== undefined) await write('state-version.json', { version });
    const { upgrades, ran } = steps(2, 3, 4);
    const told: string[] = [];
    await upgradeState(folder, (from, to) => told.push(`${from} to ${to}`), upgrades);
    expect(ran).toEqual(expected);
    expect(told).toEqual(expected.map((to) => `${to - 1} to ${to}`));
    expect(await readStateVersion(folder)).toBe(4);
  });

  it('goes on at the step that did not end', async () => {
    await write('tokens.json', TOKENS);
    const { upgrades, ran } = steps(2, 3, 4);
    const broken = upgrades.map((each) =>
      each.to === 3 ? { to: 3, run: () => Promise.reject(new Error('the disk is full')) } : each,
    );
    await expect(upgradeState(folder, () => {}, broken)).rejects.toThrow('the disk is full');
    expect(await readStateVersion(folder)).toBe(2);
    await upgradeState(folder, () => {}, upgrades);
    expect(ran).toEqual([2, 3, 4]);
  });

  it('refuses a folder of a newer program, and leaves it as it is', async () => {
    await write('state-version.json', { version: STATE_VERSION + 1 });
    const refusal = new RegExp(`of version ${STATE_VERSION + 1}.*up to ${STATE_VERSION}`);
    await expect(checkStateVersion(folder)).rejects.toThrow(refusal);
    await expect(upgradeState(folder, () => {})).rejects.toThrow(refusal);
    expect(await readStateVersion(folder)).toBe(STATE_VERSION + 1);
  });

  it('refuses a version that cannot be read', async () => {
    await writeFile(join(folder, 'state-version.json'), '{');
    await expect(checkStateVersion(folder)).rejects.toThrow('does not hold the version');
  });

  it('keeps the key of records that was made of the worker token', async () => {
    await write('tokens.json', TOKENS);
    await upgradeState(folder, () => {});
    const text = await readFile(join(folder, 'records.key'), 'utf8');
    // sha256 of "windlass records the worker token of old"
    expect(text).toBe('47a5df2f997a6cf8bce845859e22fff44424037f1be88ac72c22952cd4a78f23\n');
  });
});
