import { describe, expect, it } from 'vitest';
import { applyByHand, nextEnd } from '#core/by-hand/apply-by-hand.ts';
import type { ByHand } from '#core/by-hand/by-hand.ts';
import { activeOverrides, explainOverrides, templateOf } from '#core/by-hand/overrides.ts';
import { templateHash } from '#core/docker/pod-spec.ts';
import type { Deployment } from '#core/docker/kinds.ts';
import { normalise } from '#core/docker/workloads.ts';
import type { DesiredState } from '#core/engine.ts';
import { diffFields } from '#core/plan/diff.ts';
import type { Resource } from '#core/resources/resource.ts';

const GUARD = { share: 0.3, atLeast: 3 };
const WEB = 'Deployment/default/web';
const note = { who: 'ada', at: Date.UTC(2026, 0, 1) };

function web(image = 'web@sha256:1', replicas?: number): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image }] },
      },
    },
  };
}

function release(commit: string, resource = web()): DesiredState {
  return { owner: 'shop/here', release: commit, resources: [resource] };
}

function applied(state: DesiredState, hand: ByHand, now = 0): Deployment {
  const [resource] = applyByHand(state, hand, GUARD, now).resources;
  if (resource === undefined) throw new Error('no resource');
  return normalise(resource) as unknown as Deployment;
}

const scaled: ByHand = {
  scaled: [{ ...note, resource: WEB, replicas: 5, until: 1_000, release: 'r1' }],
};
const restarted: ByHand = { restarted: [{ ...note, resource: WEB, template: templateOf(web()) }] };

describe('applyByHand', () => {
  it.each([
    { name: 'holds for its release until its end', commit: 'r1', now: 999, replicas: 5 },
    { name: 'ends at its end', commit: 'r1', now: 1_000, replicas: 1 },
    { name: 'ends with the next release', commit: 'r2', now: 0, replicas: 1 },
  ])('a number of replicas $name', ({ commit, now, replicas }) => {
    expect(applied(release(commit), scaled, now).spec.replicas).toBe(replicas);
  });

  it('a restart makes new pods, and releases that leave the template alone make none', () => {
    const before = templateHash(normalise(web()) as unknown as Deployment);
    const after = templateHash(applied(release('r1'), restarted));
    expect(after).not.toBe(before);
    expect(templateHash(applied(release('r2', web(undefined, 3)), restarted))).toBe(after);
  });

  it('a restart is over once the template is another', () => {
    const next = web('web@sha256:2');
    expect(applied(release('r2', next), restarted)).toEqual(normalise(next));
  });

  it('leaves what it is given as it was', () => {
    const state = release('r1');
    const before = structuredClone(state);
    applyByHand(state, { ...scaled, ...restarted }, GUARD, 0);
    expect(state).toEqual(before);
  });

  it('says whose replicas are set', () => {
    expect(applyByHand(release('r1'), scaled, GUARD, 0).scaledByHand).toEqual([WEB]);
    expect(applyByHand(release('r1'), scaled, GUARD, 1_000)).not.toHaveProperty('scaledByHand');
  });

  it.each([
    [
      'r1',
      {
        rebalance: [
          { id: String(note.at), resource: WEB, surplus: 2, until: note.at + 24 * 3_600_000 },
        ],
      },
    ],
    ['r2', {}],
  ])('spreads anew for its release only: %s', (commit, wished) => {
    const hand = { rebalanced: [{ ...note, resource: WEB, surplus: 2, release: 'r1' }] };
    const { rebalance, ...others } = applyByHand(release(commit), hand, GUARD, 0);
    expect(rebalance === undefined ? {} : { rebalance }).toEqual(wished);
    expect(others).toEqual(applyByHand(release(commit), undefined, GUARD, 0));
  });

  it('suspends', () => {
    expect(applyByHand(release('r1'), { suspended: note }, GUARD, 0).suspended).toBe(true);
  });
});

describe('nextEnd', () => {
  it.each([
    [0, 1_000],
    [1_000, Infinity],
  ])('at %i is %i', (now, end) => expect(nextEnd(scaled, now)).toBe(end));
});

describe('explainOverrides', () => {
  const state = release('r1', web(undefined, 2));
  const overrides = activeOverrides(state, { ...scaled, ...restarted }, 0);
  function planOf(fields: ReturnType<typeof diffFields>): ReturnType<typeof explainOverrides> {
    const shown = fields.map((field) => ({ ...field, path: field.path.slice(1) }));
    return explainOverrides([{ action: 'update', key: WEB, fields: shown }], overrides);
  }

  it('says who wants it, until when and why, where a change is about it', () => {
    const [change] = planOf(diffFields({ spec: { replicas: 5 } }, { spec: { replicas: 2 } }));
    expect(change?.reason).toBe(
      'scaled from 2 to 5 by ada until 1970-01-01T00:00:01Z or the next release',
    );
  });

  it('says nothing where a change is about something else', () => {
    const [change] = planOf(diffFields({ spec: { paused: true } }, { spec: { paused: false } }));
    expect(change?.reason).toBeUndefined();
  });
});
