import { describe, expect, it } from 'vitest';
import { TASK_LABEL } from './listed.ts';
import { createLostContainers } from './lost-containers.ts';
import type { Found } from './lost-containers.ts';

const SECOND = 1_000;

function container(Id: string, task: string | undefined, State = 'exited'): Found {
  const Labels: Record<string, string> = task === undefined ? {} : { [TASK_LABEL]: task };
  return { Id, State, Labels, Image: '', Status: '' };
}

describe('containers of tasks that Swarm has forgotten', () => {
  it('are due half a minute after they were first seen so', () => {
    const lost = createLostContainers();
    const there = ['exited', 'dead', 'created'].map((state) => container(state, 't1', state));
    for (const [at, ids] of [
      [0, undefined],
      [29 * SECOND, undefined],
      [30 * SECOND, ['exited', 'dead', 'created']],
    ] as const) {
      lost.found('a', there);
      expect(lost.due(new Set(), at).get('a')).toEqual(ids);
    }
  });

  it('are due half a minute after the clock was set back', () => {
    const lost = createLostContainers();
    for (const [at, ids] of [
      [3_600 * SECOND, undefined],
      [0, undefined],
      [30 * SECOND, ['one']],
    ] as const) {
      lost.found('a', [container('one', 't1')]);
      expect(lost.due(new Set(), at).get('a')).toEqual(ids);
    }
  });

  it('are none that run, that Swarm knows, or that are no tasks', () => {
    const lost = createLostContainers();
    for (const at of [0, 60 * SECOND]) {
      lost.found('a', [
        container('runs', 't1', 'running'),
        container('known', 't2'),
        container('proxy', undefined),
      ]);
      expect(lost.due(new Set(['t2']), at)).toEqual(new Map());
    }
  });

  it('keep their time while their server is not looked at, and are due only when it is', () => {
    const lost = createLostContainers();
    lost.found('a', [container('one', 't1')]);
    lost.due(new Set(), 0);
    lost.found('b', []);
    expect(lost.due(new Set(), 60 * SECOND)).toEqual(new Map());
    lost.found('a', [container('one', 't1')]);
    expect(lost.due(new Set(), 61 * SECOND)).toEqual(new Map([['a', ['one']]]));
  });

  it('begin anew where Swarm knew them again meanwhile', () => {
    const lost = createLostContainers();
    for (const [known, at, ids] of [
      [[], 0, undefined],
      [['t1'], 20 * SECOND, undefined],
      [[], 40 * SECOND, undefined],
      [[], 70 * SECOND, ['one']],
    ] as const) {
      lost.found('a', [container('one', 't1')]);
      expect(lost.due(new Set(known), at).get('a')).toEqual(ids);
    }
  });
});
