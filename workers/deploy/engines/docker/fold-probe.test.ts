import { describe, expect, it } from 'vitest';
import type { Probe } from '#core/docker/world.ts';
import {
  assumeReady,
  foldProbe,
  hasGivenUp,
  hasOutlived,
  nextReadinessMs,
  type ProbeMemory,
} from './fold-probe.ts';

const probe: Probe = {
  action: { kind: 'tcp', port: 80 },
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
    { results: '+', ok: false, since: 1, name: 'one success is not enough' },
    { results: '++', ok: true, since: 2, name: 'ready at the threshold' },
    { results: '+-+', ok: false, since: 1, name: 'successes must be in a row' },
    { results: '++--', ok: true, since: 2, name: 'stays ready below the failure threshold' },
    { results: '++---', ok: false, since: 5, name: 'unready at the failure threshold' },
    { results: '++--+--', ok: true, since: 2, name: 'failures must be in a row' },
    { results: '----', ok: false, since: 1, name: 'never ready: since the first probe' },
    { results: '++---++', ok: true, since: 7, name: 'ready again' },
  ])('$name', ({ results, ok, since }) => {
    expect(fold(results)).toMatchObject({ ok, since, answer: results.at(-1) });
  });

  it('keeps what served before a restart ready until enough failures', () => {
    expect(fold('--', assumeReady(0))).toMatchObject({ ok: true, since: 0 });
    expect(fold('---', assumeReady(0))).toMatchObject({ ok: false, since: 3 });
  });

  it('cuts long answers', () => {
    const memory = foldProbe(undefined, { ok: false, answer: 'x'.repeat(999) }, probe, 1);
    expect(memory.answer).toHaveLength(200);
  });
});

describe('hasGivenUp', () => {
  it.each([
    { results: '--', givenUp: false },
    { results: '---', givenUp: true },
    { results: '--+--', givenUp: false },
    { results: '++---', givenUp: true },
  ])('$results: $givenUp', ({ results, givenUp }) => {
    const memory = fold(results);
    expect(memory !== undefined && hasGivenUp(memory, probe)).toBe(givenUp);
  });
});

describe('hasOutlived', () => {
  it('is so once a startup probe would have given up', () => {
    const startup = { ...probe, initialDelaySeconds: 5 };
    expect(hasOutlived(startup, 1_000, 1_000 + 38_000)).toBe(false);
    expect(hasOutlived(startup, 1_000, 1_000 + 38_001)).toBe(true);
  });
});

describe('nextReadinessMs', () => {
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
    expect(memory === undefined ? undefined : nextReadinessMs(memory, probe)).toBe(ms);
  });
});
