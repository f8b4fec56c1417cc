import { expect, it } from 'vitest';
import { leftAlone } from '#core/swarm/leave-alone.ts';
import type { LiveTask, TaskState } from '#core/swarm/world.ts';

function tasks(count: number, node: string, state: TaskState = 'starting'): LiveTask[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${node}-${state}-${index}`,
    service: 's',
    name: 't',
    slot: '1',
    templateHash: 'h',
    state,
    desired: 'running',
    createdAt: 0,
    at: 0,
    message: '',
    error: '',
    node,
    pod: {
      namespace: 'default',
      container: 'web',
      keeper: 'Deployment/default/web',
      owner: 'o',
      labels: {},
      ports: {},
    },
  }));
}

it.each([
  ['few', tasks(8, 'one'), undefined],
  ['few on each of several servers', [...tasks(8, 'one'), ...tasks(8, 'two')], undefined],
  ['many on one', [...tasks(12, 'one'), ...tasks(3, 'two')], { starts: 6, ms: 960 }],
  ['very many', tasks(50, 'one'), { starts: 25, ms: 2_000 }],
  ['many that run', tasks(50, 'one', 'running'), undefined],
  ['many without a server', tasks(50, 'one', 'pending'), undefined],
  [
    'many that are to end',
    tasks(50, 'one').map((task) => ({ ...task, desired: 'shutdown' as const })),
    undefined,
  ],
])('leaves servers alone until half of the tasks are up that start there: %s', (_, all, alone) => {
  expect(leftAlone(all)).toEqual(alone);
});
