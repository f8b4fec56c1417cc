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
    at: 100_000,
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
  ['many on one', [...tasks(12, 'one'), ...tasks(3, 'two')], { starts: 6, ms: 1_200 }],
  ['very many', tasks(50, 'one'), { starts: 25, ms: 3_000 }],
  ['many that run', tasks(50, 'one', 'running'), undefined],
  ['many without a server', tasks(50, 'one', 'pending'), undefined],
  [
    'many that are to end',
    tasks(50, 'one').map((task) => ({ ...task, desired: 'shutdown' as const })),
    undefined,
  ],
  [
    'many that wait for something else',
    tasks(50, 'one').map((task) => ({ ...task, at: 60_000 })),
    undefined,
  ],
])(
  'looks at nothing until half of the tasks are up that start on a server: %s',
  (_, all, alone) => {
    expect(leftAlone(all, 100_000)).toEqual(alone);
  },
);
