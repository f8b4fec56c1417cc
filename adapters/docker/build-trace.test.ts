import { describe, expect, it } from 'vitest';
import type { BuildStatus, Vertex } from './build-protocol.ts';
import { createBuildTrace } from './build-trace.ts';

const AT = { seconds: 1, nanos: 0 };

function vertex(digest: string, change: Partial<Vertex> = {}): Vertex {
  const name = `[${digest} 1/2] RUN ${digest}`;
  return { digest, name, cached: false, started: null, completed: null, error: '', ...change };
}

function status(vertexes: Vertex[], logs: [vertex: string, text: string][] = []): BuildStatus {
  return {
    vertexes,
    statuses: [],
    logs: logs.map(([digest, text]) => ({ vertex: digest, msg: Buffer.from(text) })),
  };
}

describe('createBuildTrace', () => {
  it('names a step once, and again where another has spoken in between', () => {
    const trace = createBuildTrace();
    const lines = [
      ...trace.feed(status([vertex('a'), vertex('b')])),
      ...trace.feed(status([vertex('a', { started: AT })], [['a', 'one\ntw']])),
      ...trace.feed(status([vertex('b', { started: AT })], [['b', 'other\n']])),
      ...trace.feed(status([], [['a', 'o\nthree\n']])),
      ...trace.feed(status([vertex('a', { started: AT, completed: AT })])),
    ];
    expect(lines).toEqual([
      '[a 1/2] RUN a',
      'one',
      '[b 1/2] RUN b',
      'other',
      '[a 1/2] RUN a',
      'two',
      'three',
    ]);
    expect(trace.isCached()).toBe(false);
  });

  it('says what came from the cache and hides what is internal', () => {
    const trace = createBuildTrace();
    const done = { started: AT, completed: AT };
    const lines = trace.feed(
      status([
        vertex('a', { ...done, cached: true }),
        vertex('i', { ...done, name: '[internal] load build context' }),
      ]),
    );
    expect(lines).toEqual(['CACHED [a 1/2] RUN a']);
    expect(trace.isCached()).toBe(true);
  });

  it('names the step that failed, not the ones that ended because of it', () => {
    const trace = createBuildTrace();
    trace.feed(status([vertex('b', { started: AT, completed: AT, error: 'context canceled' })]));
    trace.feed(
      status([vertex('a', { started: AT, completed: AT, error: 'exit code: 1' })], [['a', 'last']]),
    );
    expect(trace.end()).toEqual(['last']);
    expect(trace.failed()).toEqual({
      name: '[a 1/2] RUN a',
      message: 'exit code: 1',
      tail: ['last'],
    });
  });
});
