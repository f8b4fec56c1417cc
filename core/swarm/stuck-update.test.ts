import { describe, expect, it } from 'vitest';
import { begunAnew, vainTask, withoutBegunAnew } from '#core/swarm/stuck-update.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import type { LiveService, LiveTask } from '#core/swarm/world.ts';

const SERVICE = { update: { state: 'updating', message: '' }, updatedAt: 5 } as LiveService;
const TASK = { id: 't1', state: 'assigned', desired: 'shutdown', createdAt: 6 } as LiveTask;

describe('vainTask', () => {
  it.each<[string, Partial<LiveService>, Partial<LiveTask>, string | undefined]>([
    ['is one that was given up before it ran', {}, {}, 't1'],
    ['is none that is wanted', {}, { desired: 'running' }, undefined],
    ['is none that ran', {}, { state: 'running' }, undefined],
    ['is none that ended', {}, { state: 'shutdown' }, undefined],
    ['is none of an update before', {}, { createdAt: 4 }, undefined],
    ['is none without an update', { update: { state: 'completed', message: '' } }, {}, undefined],
  ])('%s', (_about, service, task, id) => {
    const found = vainTask({ ...SERVICE, ...service }, [{ ...TASK, ...task }]);
    expect(found?.id).toBe(id);
  });
});

it('begins an update anew by what no task sees', () => {
  const spec = { Name: 'web', Labels: { a: 'b' } } as unknown as ServiceSpec;
  const anew = begunAnew(spec, TASK);
  expect(anew).not.toEqual(spec);
  expect(withoutBegunAnew(anew)).toEqual(spec);
  expect(withoutBegunAnew(undefined)).toBe(undefined);
});
