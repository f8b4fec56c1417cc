import { describe, expect, it } from 'vitest';
import { endOf, hasEnded } from '#core/docker/pod-phase.ts';
import { running } from '#core/docker/testing/simulator.ts';
import type { LiveContainer, LivePod, PodSpec } from '#core/docker/world.ts';

const SECOND = 1_000;
const sidecar = { order: 0, sidecar: true };
const init = { order: 0, sidecar: false };
const roles = new Map([
  ['sidecar', sidecar],
  ['init', init],
]);

type Restart = LiveContainer['restart'];

function up(): Partial<LiveContainer> {
  return { state: 'running' };
}

function ended(exitCode: number, restart: Restart, finishedAt = 0): Partial<LiveContainer> {
  return { state: 'exited', exitCode, finishedAt, ...(restart === undefined ? {} : { restart }) };
}

function pod(containers: Record<string, Partial<LiveContainer>>): LivePod {
  const live = Object.entries(containers).map(([name, of]) => [name, { ...running(1), ...of }]);
  return { createdAt: 0, containers: Object.fromEntries(live) } as unknown as LivePod;
}

function spec(names: readonly string[], activeSeconds?: number): PodSpec {
  const containers = names.map((name) => ({ name, init: roles.get(name) }));
  return {
    containers,
    ...(activeSeconds === undefined ? {} : { activeSeconds }),
  } as unknown as PodSpec;
}

describe('the end of a pod', () => {
  it.each<[string, Record<string, Partial<LiveContainer>>, string[], string | undefined]>([
    ['all ended well', { a: ended(0, 'Never'), b: ended(0, 'Never') }, ['a', 'b'], 'Succeeded'],
    ['one failed', { a: ended(0, 'Never'), b: ended(3, 'Never') }, ['a', 'b'], 'Failed'],
    ['one failed and one runs', { a: ended(3, 'Never'), b: up() }, ['a', 'b'], undefined],
    ['one was not made yet', { a: ended(0, 'Never') }, ['a', 'b'], undefined],
    ['it is restarted on failure and failed', { a: ended(3, 'OnFailure') }, ['a'], undefined],
    ['it is restarted on failure and did not', { a: ended(0, 'OnFailure') }, ['a'], 'Succeeded'],
    ['it is always restarted', { a: ended(0, undefined) }, ['a'], undefined],
    ['it never started', { a: { ...ended(0, 'Never'), startedAt: 0 } }, ['a'], undefined],
    [
      'a sidecar runs on',
      { sidecar: { ...up(), init: sidecar }, a: ended(0, 'Never') },
      ['sidecar', 'a'],
      'Succeeded',
    ],
    [
      'an init container failed for good',
      { init: { ...ended(1, 'Never'), init } },
      ['init', 'a'],
      'Failed',
    ],
    [
      'an init container is restarted',
      { init: { ...ended(1, 'OnFailure'), init } },
      ['init', 'a'],
      undefined,
    ],
  ])('where %s', (_what, containers, names, phase) => {
    expect(endOf(pod(containers), spec(names), 0)?.phase).toBe(phase);
  });

  it.each<[string, Partial<LiveContainer>, number, object | undefined]>([
    ['runs before it', up(), 9, undefined],
    ['runs after it', up(), 10, { phase: 'Failed', reason: 'DeadlineExceeded' }],
    ['ended before it', ended(0, 'Never', 9 * SECOND), 99, { phase: 'Succeeded' }],
    [
      'was ended by it',
      ended(137, 'Never', 11 * SECOND),
      99,
      { phase: 'Failed', reason: 'DeadlineExceeded' },
    ],
    [
      'is held back after it',
      ended(3, 'OnFailure', 9 * SECOND),
      99,
      { phase: 'Failed', reason: 'DeadlineExceeded' },
    ],
  ])('with a deadline, where it %s', (_what, container, seconds, end) => {
    expect(endOf(pod({ a: container }), spec(['a'], 10), seconds * SECOND)).toEqual(end);
  });
});

it('is no address once its own containers have ended', () => {
  expect(hasEnded(pod({ sidecar: { ...up(), init: sidecar }, a: ended(1, 'Never') }))).toBe(true);
  expect(hasEnded(pod({ a: ended(0, 'Never'), b: up() }))).toBe(false);
  expect(hasEnded(pod({}))).toBe(false);
});
