import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSealer } from '#adapters/age/seal.ts';
import type { Run } from '#core/run/run.ts';
import { createReleases } from './releases.ts';
import type { Releases } from './releases.ts';

const ENTRY = 'here';
const NEVER = new AbortController().signal;

let folder: string;
let releases: Releases;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-releases-'));
  releases = createReleases({
    root: folder,
    machine: { PATH: process.env['PATH'] },
    sealer: await openSealer(join(folder, 'age.key')),
    run: async (id) => runOf(id),
    entriesOn: async () => ['shop', 'blog', 'new'].map((pipeline) => ({ pipeline, entry: ENTRY })),
    authorOf: async () => undefined,
    checkMayRelease: () => undefined,
  });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function runOf(id: string): Run {
  const deploys = [{ entry: ENTRY, cluster: 'here', state: 'pending' as const }];
  const trigger = { kind: 'push', ref: 'refs/heads/main', after: 'c1', who: 'ada' };
  const state = 'running';
  return { id, pipeline: id, commit: 'c1', state, trigger, deploys } as unknown as Run;
}

async function release(pipeline: string): Promise<void> {
  await releases.storeRendered(
    pipeline,
    [{ entry: ENTRY, manifests: { 'a.yaml': 'a: 1' } }],
    NEVER,
  );
  await releases.release(pipeline, ENTRY, NEVER);
}

it('tells the heads of a cluster, and which of them git cannot read', async () => {
  await release('shop');
  await release('blog');
  expect(await releases.heads('here', NEVER)).toMatchObject({
    releases: [{ pipeline: 'shop' }, { pipeline: 'blog' }],
    unreadable: [],
  });
  await rm(join(folder, 'blog.git', 'objects'), { recursive: true });
  await release('shop');
  // What was read before is known still.
  expect((await releases.heads('here', NEVER)).unreadable).toEqual([]);
  await releases.markHealthy('blog', ENTRY, 'f'.repeat(40), NEVER).catch(() => undefined);
  const { releases: read, unreadable } = await releases.heads('here', NEVER);
  expect(read).toMatchObject([{ pipeline: 'shop', entry: ENTRY }]);
  expect(unreadable).toEqual([
    { pipeline: 'blog', entry: ENTRY, reason: expect.stringContaining('git') },
  ]);
  await rm(join(folder, 'blog.git'), { recursive: true });
  await release('blog');
  expect((await releases.heads('here', NEVER)).releases).toHaveLength(2);
});
