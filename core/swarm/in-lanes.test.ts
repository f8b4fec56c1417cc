import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inLanes } from '#core/swarm/in-lanes.ts';
import type { SwarmStep } from '#core/swarm/world.ts';

/** As far as lanes look at them. */
function step(kind: SwarmStep['kind'], node?: string): SwarmStep {
  return { kind, ...(node === undefined ? {} : { node }) } as SwarmStep;
}

/** Stages apart by `then`, lanes by `beside`, batches by `,`, and what is done at once by `+`. */
function text(steps: readonly SwarmStep[], proxies = [{ proxy: 'hash' }, {}]): string[] {
  return inLanes(steps, proxies).map((stage) =>
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

  it('makes the first proxies of all before pods', () => {
    expect(text(ALL, [{}, {}])).toEqual([
      'record+record beside configureProxy, configureDns beside configureProxy',
      'placeProbes beside placeProbes',
      'createFile, createService+updateService',
      'removeService, forget, removeFile',
    ]);
  });

  it('loses and doubles no step', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(ALL), fc.boolean(), (steps, isFirst) => {
        const done = inLanes(steps, isFirst ? [{}] : [{ proxy: 'hash' }]).flat(3);
        expect(new Set(done)).toEqual(new Set(steps));
        expect(done).toHaveLength(steps.length);
      }),
    );
  });
});
