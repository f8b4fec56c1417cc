import { describe, expect, it } from 'vitest';
import type { PodStatus } from '#core/engine.ts';
import { changeEvents } from '#core/events/change-events.ts';
import { isAbout } from '#core/events/event.ts';
import { statusEvents } from '#core/events/status-events.ts';
import type { OwnerReport } from '#core/ports.ts';

const WEB = 'Deployment/default/web';
const note = { who: 'ada', at: 1 };

function owner(change: Partial<OwnerReport> = {}): OwnerReport {
  return {
    owner: 'shop/here',
    release: 'r1',
    plan: [],
    held: [],
    resources: [health('Healthy')],
    serving: true,
    overrides: [],
    ...change,
  };
}

function health(
  status: 'Healthy' | 'Progressing' | 'Degraded',
  pods: PodStatus[] = [],
): OwnerReport['resources'][number] {
  const reason = status === 'Healthy' ? '' : 'why';
  return { key: WEB, health: { status, reason }, summary: '1 of 1 ready', pods };
}

function pod(restarts: number): PodStatus {
  return {
    name: 'web-0',
    namespace: 'default',
    owner: WEB,
    ready: true,
    createdAt: 0,
    containers: [
      {
        name: 'web',
        image: 'web',
        state: 'running',
        ready: true,
        restarts,
        ...(restarts > 0 ? { exitCode: 7 } : {}),
      },
    ],
  };
}

function told(before: OwnerReport[], after: OwnerReport[]): string[] {
  const orphans: [] = [];
  return statusEvents({ owners: before, orphans }, { owners: after, orphans }, 5).map(
    ({ type, reason, message }) => `${type} ${reason}: ${message}`,
  );
}

const scale = {
  kind: 'scale' as const,
  ...note,
  resource: WEB,
  replicas: 5,
  released: 2,
  until: 1_000,
};
const scaleText = 'scaled from 2 to 5 by ada until 1970-01-01T00:00:01Z or the next release';
const held = [{ action: 'delete' as const, key: 'ConfigMap/default/a', fields: [] }];

describe('statusEvents', () => {
  it.each<{
    name: string;
    before?: Partial<OwnerReport>;
    after?: Partial<OwnerReport>;
    events: string[];
  }>([
    { name: 'nothing where nothing changed', events: [] },
    {
      name: 'a new release',
      after: { release: 'r2' },
      events: ['Normal Released: release r2, after r1'],
    },
    {
      name: 'health that gets worse as a warning',
      after: { resources: [health('Degraded')] },
      events: ['Warning Degraded: why'],
    },
    {
      name: 'progress as no warning',
      after: { resources: [health('Progressing')] },
      events: ['Normal Progressing: why'],
    },
    {
      name: 'health that is back',
      before: { resources: [health('Degraded')] },
      events: ['Normal Healthy: 1 of 1 ready'],
    },
    {
      name: 'what is given up, once',
      before: { resources: [{ ...health('Healthy'), notSpread: 'not in time' }] },
      after: { resources: [{ ...health('Healthy'), notSpread: 'not in time: why' }] },
      events: [],
    },
    {
      name: 'what is spread anew no more',
      after: { resources: [{ ...health('Healthy'), notSpread: 'not in time: why' }] },
      events: ['Warning NotSpread: not in time: why'],
    },
    {
      name: 'restarts with how it ended',
      before: { resources: [health('Healthy', [pod(1)])] },
      after: { resources: [health('Healthy', [pod(3)])] },
      events: ['Warning Restarted: container web, 3 times in all: exit code 7'],
    },
    {
      name: 'a suspension',
      after: { suspended: { ...note, reason: 'a look' } },
      events: ['Warning Suspended: by ada: a look'],
    },
    {
      name: 'its end',
      before: { suspended: note },
      events: ['Normal Resumed: it was suspended by ada'],
    },
    {
      name: 'what was scaled',
      after: { overrides: [scale] },
      events: [`Normal Scaled: ${scaleText}`],
    },
    {
      name: 'its end, too',
      before: { overrides: [scale] },
      events: [`Normal ScaleEnded: no longer ${scaleText}`],
    },
    {
      name: 'deletions that wait, once',
      after: { held },
      events: [
        'Warning DeletionsWait: 1 deletion waits for a confirmation: windlass confirm shop here',
      ],
    },
    { name: 'and no second time', before: { held }, after: { held }, events: [] },
    { name: 'a failure', after: { failure: 'crashes' }, events: ['Warning Failed: crashes'] },
  ])('tells $name', ({ before = {}, after = {}, events }) => {
    expect(told([owner(before)], [owner(after)])).toEqual(events);
  });

  it('tells of owners that come, are orphaned and go', () => {
    const orphans = [{ owner: 'shop/here', resources: [], pods: 1 }];
    expect(told([], [owner()])).toEqual(['Normal Released: release r1']);
    const orphaned = statusEvents({ owners: [owner()], orphans: [] }, { owners: [], orphans }, 5);
    expect(orphaned.map(({ reason }) => reason)).toEqual(['Orphaned']);
    const gone = statusEvents({ owners: [], orphans }, { owners: [], orphans: [] }, 5);
    expect(gone.map(({ reason }) => reason)).toEqual(['Removed']);
  });
});

describe('changeEvents', () => {
  it('tells what was done and why, without end', () => {
    const fields = ['a', 'b', 'c', 'd'].map((path) => ({ path, current: '1', desired: '2' }));
    const plan = [{ action: 'update' as const, key: WEB, fields, reason: 'by hand' }];
    expect(changeEvents('shop/here', plan, 5)).toEqual([
      {
        at: 5,
        type: 'Normal',
        owner: 'shop/here',
        resource: WEB,
        reason: 'Updated',
        message: 'a: 1 -> 2, b: 1 -> 2, c: 1 -> 2, 1 more; by hand',
      },
    ]);
  });
});

describe('isAbout', () => {
  const event = {
    at: 1,
    type: 'Normal' as const,
    owner: 'shop/here',
    resource: WEB,
    reason: 'a',
    message: '',
  };
  it.each([
    [{}, true],
    [{ owner: 'shop' }, true],
    [{ owner: 'sho' }, false],
    [{ owner: 'shop/here' }, true],
    [{ owner: 'shop/there' }, false],
    [{ resource: WEB }, true],
    [{ owner: 'shop', resource: 'Service/default/web' }, false],
  ])('%j: %j', (filter, expected) => expect(isAbout(event, filter)).toBe(expected));
});
