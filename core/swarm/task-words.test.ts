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
    liveness: 'HTTP 404',
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
