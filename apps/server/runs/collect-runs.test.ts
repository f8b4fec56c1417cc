import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';
import { newRun } from '#core/run/new-run.ts';
import { collectRuns } from './collect-runs.ts';
import { createRunArchive } from './run-archive.ts';

const log = pino({ level: 'silent' });
const DAY = 24 * 3_600_000;
const pipeline = Pipeline.parse({
  apiVersion: 'windlass.dev/v1',
  kind: 'Pipeline',
  metadata: { name: 'hello' },
  spec: { keep: { runs: 2, days: 1 } },
});

it('forgets old runs with their files, and none that goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-collect-runs-'));
  const runs = createMemoryRunStore();
  const archive = createRunArchive({ folder, runs, log });
  for (const [at, id] of ['open', 'old', 'kept', 'newest'].entries()) {
    const trigger = { kind: 'push', ref: 'refs/heads/main', after: id, who: 'ann' } as const;
    await runs.record([
      { runs: [newRun({ id, pipeline: 'hello', spec: pipeline.spec, trigger, at })] },
    ]);
    await runs.apply(id, { kind: 'started', at });
    await runs.appendLog(id, [{ at, step: 'clone', line: 'x' }]);
    if (id !== 'open') await runs.apply(id, { kind: 'failed', reason: 'enough', at });
  }
  await archive.sweep();
  let known = false;
  const pipelines = {
    areKnown: () => known,
    all: async () => [{ pipeline, declaredIn: 'configuration' as const }],
  };
  const dependencies = { runs, archive, pipelines, now: () => 2 * DAY, log };
  await expect(collectRuns(dependencies)).rejects.toThrow('is not known');
  expect(await runs.list({ limit: 9 })).toHaveLength(4);
  known = true;
  await collectRuns(dependencies);
  expect((await runs.list({ limit: 9 })).map(({ id }) => id)).toEqual(['newest', 'kept', 'open']);
  expect((await readdir(join(folder, 'hello'))).toSorted()).toEqual([
    'kept.json',
    'kept.log',
    'newest.json',
    'newest.log',
    'open.log',
  ]);
  await rm(folder, { recursive: true });
});
