import { expect, it } from 'vitest';
import { turnOf } from '#core/docker/init.ts';
import { running } from '#core/docker/testing/simulator.ts';
import type { ContainerSpec, LiveContainer, LivePod } from '#core/docker/world.ts';

const containers = [
  { name: 'first', init: { order: 0, sidecar: false } },
  { name: 'sidecar', init: { order: 1, sidecar: true } },
  { name: 'last', init: { order: 2, sidecar: false } },
  { name: 'main' },
] as ContainerSpec[];

const up = { state: 'running' } as const;
const done = { state: 'exited', exitCode: 0 } as const;
const failed = { state: 'exited', exitCode: 1 } as const;

function pod(
  live: Record<string, Partial<LiveContainer>>,
  { sandbox = running(0), started = true }: { sandbox?: LiveContainer; started?: boolean } = {},
): LivePod {
  const made = Object.entries(live).map(([name, container]) => {
    const init = containers.find((each) => each.name === name)?.init;
    return [name, { ...running(10), ...(init && { init }), ...container }];
  });
  const state = { ok: started, since: 0, answer: '' };
  return {
    sandbox,
    containers: Object.fromEntries(made) as LivePod['containers'],
    probes: { sidecar: { startup: state } },
  } as unknown as LivePod;
}

it.each<[string, LivePod | undefined, string[]]>([
  ['there is nothing', undefined, ['first']],
  ['the first runs', pod({ first: up }), ['first']],
  ['the first failed', pod({ first: failed }), ['first']],
  ['the first is done', pod({ first: done }), ['sidecar']],
  ['the sidecar starts', pod({ first: done, sidecar: up }, { started: false }), ['sidecar']],
  ['the sidecar has started', pod({ first: done, sidecar: up }), ['sidecar', 'last']],
  ['the sidecar ended', pod({ first: done, sidecar: failed, last: up }), ['sidecar']],
  ['all are done', pod({ first: done, sidecar: up, last: done }), ['sidecar', 'main']],
  [
    'main was made but never started',
    pod({ first: done, sidecar: up, main: { state: 'created', startedAt: 0 } }),
    ['sidecar', 'last'],
  ],
  ['those that are done were pruned', pod({ sidecar: up, main: up }), ['sidecar', 'main']],
  ['the sidecar ends later', pod({ sidecar: failed, main: up }), ['sidecar', 'main']],
])('when %s', (_what, live, run) => {
  expect(turnOf({ containers }, live)).toMatchObject({ run, anew: false });
});

it('begins from the first in another sandbox', () => {
  const live = { first: done, sidecar: up, last: done, main: up };
  const begin = { run: ['first'], anew: true };
  const restarted = pod(live, { sandbox: running(20) });
  expect(turnOf({ containers }, restarted)).toMatchObject(begin);
  const ended = pod(live, { sandbox: { ...running(0), ...failed } });
  expect(turnOf({ containers }, ended)).toMatchObject(begin);
});

it('runs all at once where none is an init container', () => {
  const [main] = containers.slice(-1);
  const only = { containers: main === undefined ? [] : [main] };
  expect(turnOf(only, pod({}, { sandbox: running(20) }))).toEqual({
    run: ['main'],
    anew: false,
    initialising: false,
  });
});
