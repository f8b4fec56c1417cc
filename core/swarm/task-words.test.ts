import { expect, it } from 'vitest';
import { lacksImage, podStatusOf, whyNotReady } from '#core/swarm/task-words.ts';
import type { LiveTask } from '#core/swarm/world.ts';

/** As Swarm leaves it, and makes another one. */
const TASK = {
  service: 's1',
  slot: '1',
  templateHash: 'new',
  state: 'rejected',
  desired: 'shutdown',
  error: 'No such image: web:1',
  createdAt: 5,
} as LiveTask;
const LATER: LiveTask = { ...TASK, state: 'running', desired: 'running', error: '', createdAt: 6 };

it.each<[string, Partial<LiveTask>, Partial<LiveTask>, boolean]>([
  ['until one ran in its place', {}, {}, false],
  ['while another is begun in its place', {}, { state: 'preparing' }, true],
  ['while one runs elsewhere', {}, { slot: '2' }, true],
  ['while one of another service runs', {}, { service: 's2' }, true],
  ['after one went back to the template before', {}, { templateHash: 'old' }, true],
  ['where one ran before', {}, { createdAt: 4 }, true],
  ['no more once it is to be removed', { desired: 'remove' }, { state: 'preparing' }, false],
  ['not where it failed for something else', { error: 'exit 1' }, { state: 'preparing' }, false],
])('lacks its image: %s', (_when, task, other, lacks) => {
  const one = { ...TASK, ...task };
  expect(lacksImage(one, [one, { ...LATER, ...other }])).toBe(lacks);
});

it('tells what the liveness probe found that ended the task before', () => {
  const ended: LiveTask = {
    ...TASK,
    state: 'failed',
    error: 'task: non-zero exit (137): dockerexec: unhealthy container',
    exitCode: 137,
    probed: { probe: 'liveness', answer: 'HTTP 404' },
  };
  expect(whyNotReady(ended, 1)).toBe('liveness probe failed: HTTP 404, 1 restart');
  const container = { name: 'web', image: 'web:1' };
  const of = { namespace: 'default', owner: 'Deployment/default/web', container, isJob: false };
  expect(podStatusOf(LATER, [ended], of).containers).toEqual([
    {
      ...container,
      ready: true,
      restarts: 1,
      state: 'running',
      last: { reason: 'Error', exitCode: 137, message: 'liveness probe failed: HTTP 404' },
    },
  ]);
});

it('tells what a startup probe finds that a task waits for, and that ended one', () => {
  const probed = { probe: 'startup', answer: 'HTTP 404' } as const;
  const waiting: LiveTask = { ...LATER, state: 'starting', probed };
  expect(whyNotReady(waiting, 0)).toBe('startup probe: HTTP 404');
  const container = { name: 'web', image: 'web:1' };
  const of = { namespace: 'default', owner: 'Deployment/default/web', container, isJob: false };
  expect(podStatusOf(waiting, [], of).containers).toEqual([
    {
      ...container,
      ready: false,
      restarts: 0,
      state: 'running',
      message: 'startup probe: HTTP 404',
    },
  ]);
  const ended: LiveTask = { ...TASK, state: 'failed', error: '', exitCode: 137, probed };
  expect(whyNotReady(ended, 1)).toBe('startup probe failed: HTTP 404, 1 restart');
});
