import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { RunKeeping, RunStore } from '#core/ports.ts';
import { newRun } from '#core/run/new-run.ts';
import type { Run } from '#core/run/run.ts';
import { followRun } from '../follow-run.ts';
import { createRunArchive } from './run-archive.ts';
import type { LogReader, RunArchive } from './run-archive.ts';

const log = pino({ level: 'silent' });
let folder = '';
let runs: RunStore & RunKeeping;
let archive: RunArchive;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-archive-'));
  runs = createMemoryRunStore();
  archive = createRunArchive({ folder, runs, log });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function begin(id: string, at = 1): Promise<Run> {
  const trigger = { kind: 'push', ref: 'refs/heads/main', after: id, who: 'ann' } as const;
  const run = newRun({ id, pipeline: 'hello', spec: PipelineSpec.parse({}), trigger, at });
  await runs.record([{ runs: [run] }]);
  return run;
}

async function write(id: string, ...lines: string[]): Promise<void> {
  await runs.appendLog(
    id,
    lines.map((line) => ({ at: 1, step: 'clone', line })),
  );
}

async function finish(id: string): Promise<void> {
  await runs.apply(id, { kind: 'failed', reason: 'enough', at: 9 });
}

async function read(reader: LogReader): Promise<string[]> {
  const texts: string[] = [];
  for await (const lines of reader.rest()) texts.push(...lines.map(({ line }) => line));
  return texts;
}

describe('createRunArchive', () => {
  it('reads on where it was', async () => {
    const run = await begin('a1');
    const reader = archive.reader(run);
    expect(await read(reader)).toEqual([]);
    await write('a1', 'one', 'two');
    expect(await read(reader)).toEqual(['one', 'two']);
    await write('a1', 'three');
    expect(await read(reader)).toEqual(['three']);
    expect(await read(archive.reader(run))).toEqual(['one', 'two', 'three']);
  });

  it('catches up on what came while the server was away, and files what ended', async () => {
    const run = await begin('a1');
    await write('a1', 'one');
    await archive.sweep();
    await write('a1', 'two');
    await finish('a1');
    const next = createRunArchive({ folder, runs, log });
    await next.sweep();
    expect(await runs.unarchived()).toEqual([]);
    expect(await readdir(join(folder, 'hello'))).toEqual(['a1.json', 'a1.log']);
    await write('a1', 'late');
    await next.sweep();
    expect(await read(next.reader(run))).toEqual(['one', 'two', 'late']);
    expect(await runs.unarchived()).toEqual([]);
  });

  it('forgets how far it was with a run that was read after it was filed', async () => {
    const run = await begin('a1');
    await write('a1', 'one');
    await finish('a1');
    await archive.sweep();
    expect(await read(archive.reader(run))).toEqual(['one']);
    await archive.sweep();
    // Whoever still knows that the file has everything would not ask for it again.
    await rm(join(folder, 'hello', 'a1.log'));
    expect(await read(archive.reader(run))).toEqual(['one']);
  });

  it('takes more than is read at once', async () => {
    const run = await begin('a1');
    for (let index = 0; index < 250; index += 1) await write('a1', String(index));
    expect(await read(archive.reader(run))).toHaveLength(250);
  });

  it('gives back runs that were lost, but none that goes on', async () => {
    await begin('a1', 1);
    await finish('a1');
    await begin('a2', 2);
    await archive.sweep();
    const fresh = createMemoryRunStore();
    await createRunArchive({ folder, runs: fresh, log }).restore();
    expect((await fresh.list({ limit: 9 })).map(({ id }) => id)).toEqual(['a1']);
    expect(await fresh.get('a1')).toEqual(await runs.get('a1'));
  });

  it('gives no run twice, and none that is damaged', async () => {
    await begin('a1');
    await finish('a1');
    await archive.sweep();
    await rm(join(folder, 'hello', 'a1.json'));
    const fresh = createMemoryRunStore();
    await createRunArchive({ folder, runs: fresh, log }).restore();
    expect(await fresh.list({ limit: 9 })).toEqual([]);
    await archive.remove({ id: 'a1', pipeline: 'hello' });
    expect(await readdir(join(folder, 'hello'))).toEqual([]);
  });
});

describe('followRun', () => {
  it('tells each line once and before what came after it', async () => {
    const run = await begin('a1');
    const told: string[] = [];
    await write('a1', 'early');
    const following = followRun(
      { runs, archive },
      run,
      {
        onRun: ({ state }) => told.push(state),
        onLog: (lines) => void told.push(...lines.map(({ line }) => line)),
      },
      AbortSignal.timeout(10_000),
    );
    await runs.apply('a1', { kind: 'started', at: 2 });
    await write('a1', 'one');
    await write('a1', 'two');
    await finish('a1');
    expect((await following)?.state).toBe('failed');
    expect(told.filter((each) => !['queued', 'running'].includes(each))).toEqual([
      'early',
      'one',
      'two',
      'failed',
    ]);
  });
});
