import { expect, it } from 'vitest';
import { lacksImage } from '#core/swarm/task-words.ts';
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
