import { describe, expect, it } from 'vitest';
import type { ReadinessProbe } from '#core/docker/world.ts';
import { assumeReady, foldProbe, nextProbeMs, type ProbeMemory } from './fold-probe.ts';

const probe: ReadinessProbe = {
  kind: 'http',
  port: 80,
  path: '/',
  headers: {},
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 1,
  successThreshold: 2,
  failureThreshold: 3,
};

function fold(results: string, from?: ProbeMemory): ProbeMemory | undefined {
  return Array.from(results).reduce(
    (memory: ProbeMemory | undefined, letter, at) =>
      foldProbe(memory, { ok: letter === '+', answer: letter }, probe, at + 1),
    from,
  );
}

describe('foldProbe', () => {
  it.each([
    { results: '+', ready: false, since: 1, name: 'one success is not enough' },
    { results: '++', ready: true, since: 2, name: 'ready at the threshold' },
    { results: '+-+', ready: false, since: 1, name: 'successes must be in a row' },
    { results: '++--', ready: true, since: 2, name: 'stays ready below the failure threshold' },
    { results: '++---', ready: false, since: 5, name: 'unready at the failure threshold' },
    { results: '++--+--', ready: true, since: 2, name: 'failures must be in a row' },
    { results: '----', ready: false, since: 1, name: 'never ready: since the first probe' },
    { results: '++---++', ready: true, since: 7, name: 'ready again' },
  ])('$name', ({ results, ready, since }) => {
    expect(fold(results)).toMatchObject({ ready, since, answer: results.at(-1) });
  });

  it('keeps what served before a restart ready until enough failures', () => {
    expect(fold('--', assumeReady(0))).toMatchObject({ ready: true, since: 0 });
    expect(fold('---', assumeReady(0))).toMatchObject({ ready: false, since: 3 });
  });

  it('cuts long answers', () => {
    const memory = foldProbe(undefined, { ok: false, answer: 'x'.repeat(999) }, probe, 1);
    expect(memory.answer).toHaveLength(200);
  });
});

describe('nextProbeMs', () => {
  it.each([
    { results: '-', ms: 25 },
    { results: '--', ms: 50 },
    { results: '--------', ms: 3_200 },
    { results: '----------', ms: 10_000 },
    { results: '+', ms: 10_000 },
    { results: '++', ms: 10_000 },
    { results: '++-', ms: 10_000 },
  ])('$results: $ms', ({ results, ms }) => {
    const memory = fold(results);
    expect(memory === undefined ? undefined : nextProbeMs(memory, probe)).toBe(ms);
  });
});
