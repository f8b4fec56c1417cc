import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inLanes } from '#core/swarm/in-lanes.ts';
import type { SwarmStep } from '#core/swarm/world.ts';

/** As far as lanes look at them. */
function step(kind: SwarmStep['kind'], node?: string): SwarmStep {
  return { kind, ...(node === undefined ? {} : { node }) } as SwarmStep;
}

/** Stages apart by `then`, lanes by `beside`, batches by `,`, and what is done at once by `+`. */
function text(steps: readonly SwarmStep[]): string[] {
  return inLanes(steps).map((stage) =>
    stage
      .map((lane) => lane.map((batch) => batch.map(({ kind }) => kind).join('+')).join(', '))
      .filter((lane) => lane !== '' && lane !== ', ')
      .join(' beside '),
  );
}

const ALL = [
  step('record'),
  step('record'),
  step('placeProbes', 's1'),
  step('placeProbes', 's2'),
  step('configureProxy', 's1'),
  step('configureDns', 's1'),
  step('configureProxy', 's2'),
  step('createFile'),
  step('createService'),
  step('updateService'),
  step('removeService'),
  step('forget'),
  step('removeFile'),
];

describe('inLanes', () => {
  it('records first, then what asks tasks, makes services beside the proxies, and ends nothing before traffic has left it', () => {
    expect(text(ALL)).toEqual([
      'record+record',
      'placeProbes beside placeProbes',
      'createFile, createService+updateService beside configureProxy, configureDns beside configureProxy',
      'removeService, forget, removeFile',
    ]);
  });

  it('loses and doubles no step', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(ALL), (steps) => {
        expect(new Set(inLanes(steps).flat(3))).toEqual(new Set(steps));
        expect(inLanes(steps).flat(3)).toHaveLength(steps.length);
      }),
    );
  });
});
