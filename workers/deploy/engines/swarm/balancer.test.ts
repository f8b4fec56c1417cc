import { expect, it } from 'vitest';
import { clashing } from './balancer.ts';
import type { ListedTask } from './listed.ts';

function task(address: string, State = 'running'): ListedTask {
  return {
    ID: address,
    CreatedAt: '',
    ServiceID: 's',
    Spec: {},
    DesiredState: State,
    Status: { State, Timestamp: '' },
    NetworksAttachments: [{ Network: { ID: 'net' }, Addresses: [`${address}/16`] }],
  };
}

const balancers = new Map([
  ['s1', '10.88.0.22'],
  ['s2', '10.88.0.3'],
]);

it('finds the servers whose balancer has the address of a task that runs', () => {
  const tasks = [task('10.88.0.22'), task('10.88.0.23')];
  expect(clashing(balancers, tasks, 'net')).toEqual(['s1']);
  expect(clashing(balancers, [task('10.88.0.2')], 'net')).toEqual([]);
});

it('leaves it to tasks that ended, and to those on another network', () => {
  expect(clashing(balancers, [task('10.88.0.22', 'shutdown')], 'net')).toEqual([]);
  expect(clashing(balancers, [task('10.88.0.22')], 'other')).toEqual([]);
  expect(clashing(balancers, [task('10.88.0.22')], undefined)).toEqual([]);
});
