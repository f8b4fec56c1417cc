import { describe, expect, it } from 'vitest';
import type { LogLine } from '#core/ports.ts';
import { createRunLog } from './run-log.ts';

function recorder(): {
  batches: (readonly LogLine[])[];
  appendLog: (id: string, lines: readonly LogLine[]) => Promise<void>;
} {
  const batches: (readonly LogLine[])[] = [];
  return {
    batches,
    appendLog: (_id, lines) => {
      batches.push(lines);
      return Promise.resolve();
    },
  };
}

describe('createRunLog', () => {
  it('stores lines in batches and in order', async () => {
    const runs = recorder();
    const log = createRunLog(runs, 'r1', () => 7);
    for (let index = 0; index < 120; index += 1) log.write('clone', `line ${index}`);
    await log.flush();
    expect(runs.batches.map((batch) => batch.length)).toEqual([50, 50, 20]);
    expect(runs.batches.flat()[119]).toEqual({ at: 7, step: 'clone', line: 'line 119' });
  });

  it('stores a lone line by itself after a moment', async () => {
    const runs = recorder();
    createRunLog(runs, 'r1', () => 7).write('clone', 'alone');
    await expect.poll(() => runs.batches.flat().length).toBe(1);
  });

  it('cuts a long line', async () => {
    const runs = recorder();
    const log = createRunLog(runs, 'r1', () => 7);
    log.write('clone', 'x'.repeat(10_000));
    await log.flush();
    expect(runs.batches[0]?.[0]?.line).toHaveLength(4_001);
  });

  it('cuts off a step that floods, and no other', async () => {
    const runs = recorder();
    const log = createRunLog(runs, 'r1', () => 7);
    for (let index = 0; index < 60_000; index += 1) log.write('build web', 'flood');
    log.write('push web', 'heard');
    await log.flush();
    const lines = runs.batches.flat();
    expect(lines).toHaveLength(50_002);
    expect(lines.slice(-2).map(({ line }) => line)).toEqual([
      'more than is kept: the rest of this step is left out',
      'heard',
    ]);
  });

  it('cuts off a step that floods with long lines', async () => {
    const runs = recorder();
    const log = createRunLog(runs, 'r1', () => 7);
    for (let index = 0; index < 5_000; index += 1) log.write('build web', 'x'.repeat(4_000));
    await log.flush();
    expect(runs.batches.flat()).toHaveLength(2_001);
    expect(Math.max(...runs.batches.map((batch) => batch.length))).toBe(8);
  });

  it('tells when storing has failed', async () => {
    const log = createRunLog({ appendLog: () => Promise.reject(new Error('gone')) }, 'r1', () => 7);
    log.write('clone', 'lost');
    await expect(log.flush()).rejects.toThrow('gone');
  });
});
