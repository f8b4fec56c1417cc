import { expect, it } from 'vitest';
import { turnOf } from '#core/docker/init.ts';
import { running } from '#core/docker/testing/simulator.ts';
import type { ContainerSpec, LiveContainer, LivePod } from '#core/docker/world.ts';

const containers = [
  { name: 'first', init: { order: 0, sidecar: false }, hooks: {} },
  { name: 'sidecar', init: { order: 1, sidecar: true }, hooks: {} },
  { name: 'last', init: { order: 2, sidecar: false }, hooks: {} },
  { name: 'main', hooks: {} },
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

const hooked = [
  { name: 'one', hooks: { postStart: { kind: 'sleep', seconds: 1 } } },
  { name: 'two', hooks: {} },
] as ContainerSpec[];
const began = { answer: '', at: 0 };

it.each<[string, LivePod | undefined, string[]]>([
  ['it is to be made', undefined, ['one']],
  ['its hook runs', pod({ one: { postStart: { state: 'runs', ...began } } }), ['one']],
  ['its hook ended', pod({ one: { postStart: { state: 'done', ...began } } }), ['one', 'two']],
  ['its hook failed', pod({ one: { postStart: { state: 'failed', ...began } } }), ['one', 'two']],
  [
    'it crashed',
    pod({ one: { state: 'exited', postStart: { state: 'runs', ...began } } }),
    ['one', 'two'],
  ],
])('starts those after one with a postStart hook where %s', (_what, live, run) => {
  expect(turnOf({ containers: hooked }, live)).toMatchObject({ run });
});
