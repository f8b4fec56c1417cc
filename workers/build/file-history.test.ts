import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Source } from './context.ts';
import { createFileHistory } from './file-history.ts';

const CHECKOUT = realpathSync(tmpdir());

function source(commit: string, objects: Record<string, string>, url = 'one'): Source {
  return {
    commit: commit.repeat(40),
    committedAt: 1_000,
    subject: '',
    author: '',
    moved: false,
    objects: new Map(Object.entries(objects)),
    checkout: CHECKOUT,
    url,
  };
}

describe('createFileHistory', () => {
  it('keeps the time of what has not changed and tells two commits of one second apart', async () => {
    const history = createFileHistory();
    const first = await history.timesOf(source('a', { same: '1', 'dir/changed': '2' }));
    const second = await history.timesOf(source('b', { same: '1', 'dir/changed': '3' }));
    expect(first.commit).not.toBe(second.commit);
    expect(second.of(join(CHECKOUT, 'same'))).toBe(first.commit);
    expect(second.of(join(CHECKOUT, 'dir/changed'))).toBe(second.commit);
  });

  it('gives content that comes back the new time', async () => {
    const history = createFileHistory();
    await history.timesOf(source('a', { file: '1' }));
    await history.timesOf(source('b', { file: '2' }));
    const third = await history.timesOf(source('c', { file: '1' }));
    expect(third.of(join(CHECKOUT, 'file'))).toBe(third.commit);
  });

  it('does not mix repositories', async () => {
    const history = createFileHistory();
    await history.timesOf(source('a', { file: '1' }));
    const other = await history.timesOf(source('b', { file: '1' }, 'two'));
    expect(other.of(join(CHECKOUT, 'file'))).toBe(other.commit);
  });
});
