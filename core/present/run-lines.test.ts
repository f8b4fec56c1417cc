import { describe, expect, it } from 'vitest';
import { Keep } from '#core/declarations/pipeline.ts';
import { logLine, runLines, verdictLine } from '#core/present/run-lines.ts';
import type { Run } from '#core/run/run.ts';

const RUN: Run = {
  id: 'abc123',
  pipeline: 'hello',
  spec: {
    source: { branches: ['main'] },
    images: [],
    deploy: [],
    timeoutSeconds: 60,
    keep: Keep.parse({}),
    notify: [],
  },
  trigger: { kind: 'push', ref: 'refs/heads/main', after: 'a'.repeat(40), who: 'admin' },
  branch: 'main',
  commit: 'a'.repeat(40),
  state: 'running',
  createdAt: 1_000,
  steps: [{ name: 'clone', state: 'running', startedAt: 1_000 }],
  images: {},
  deploys: [],
  reason: '',
  attempt: 1,
  cancelRequested: false,
};

describe('runLines', () => {
  it('tells the run and its steps once', () => {
    expect(runLines(undefined, RUN)).toEqual(['run abc123 of hello, main at aaaaaaaa', '> clone']);
    expect(runLines(RUN, RUN)).toEqual([]);
  });

  it('tells how a step ended', () => {
    const steps: Run['steps'] = [
      { name: 'clone', state: 'failed', startedAt: 1_000, endedAt: 2_500, detail: 'no\nway' },
    ];
    expect(runLines(RUN, { ...RUN, steps })).toEqual([String.raw`failed clone (1.5s): no\nway`]);
  });
});

describe('logLine', () => {
  it('keeps control characters off the terminal', () => {
    expect(logLine({ line: '\u001B[2J' })).toBe(String.raw`  | \u001b[2J`);
  });
});

describe('verdictLine', () => {
  it.each<[Partial<Run>, string | undefined]>([
    [{ state: 'succeeded', endedAt: 13_000 }, 'DEPLOYED hello aaaaaaaa in 12s'],
    [{ state: 'failed', reason: 'tests' }, 'FAILED hello: tests'],
    [{ state: 'cancelled', reason: 'by me' }, 'CANCELLED hello: by me'],
    [{ state: 'superseded', reason: 'by run b' }, 'SUPERSEDED hello: by run b'],
    [{ state: 'running' }, undefined],
  ])('%j', (change, line) => {
    expect(verdictLine({ ...RUN, ...change })).toBe(line);
  });
});
