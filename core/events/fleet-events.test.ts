import { describe, expect, it } from 'vitest';
import { asKnown, fleetEvents, stepEvents } from '#core/events/fleet-events.ts';
import type { FleetStatus, ServerStatus } from '#core/swarm/servers/report.ts';

function fleet(server: Partial<ServerStatus> = {}, problems: string[] = []): FleetStatus {
  return {
    servers: [
      {
        name: 's1',
        address: '10.0.0.1',
        role: 'manager',
        state: 'ready',
        isReachable: true,
        isLeader: false,
        runsApplications: true,
        ...server,
      },
    ],
    problems,
  };
}

function told(before: FleetStatus | undefined, after: FleetStatus | undefined): string[] {
  return fleetEvents(before, after, 5).map(
    ({ type, resource = '-', reason, message }) => `${type} ${resource} ${reason}: ${message}`,
  );
}

describe('fleetEvents', () => {
  it.each<[string, FleetStatus | undefined, FleetStatus | undefined, string[]]>([
    ['nothing of a first look', undefined, fleet({ state: 'down' }), []],
    [
      'but what is wrong then',
      undefined,
      fleet({ isLeader: true, problem: 'its kernel has no ESP' }, ['one']),
      ['Warning Server//s1 ServerProblem: its kernel has no ESP', 'Warning - FleetProblem: one'],
    ],
    ['nothing where nothing changed', fleet(), fleet(), []],
    [
      'a server that went down',
      fleet(),
      fleet({ state: 'down', problem: 'its Docker does not answer' }),
      [
        'Warning Server//s1 ServerNotReady: down, after ready',
        'Warning Server//s1 ServerProblem: its Docker does not answer',
      ],
    ],
    [
      'one that is back',
      fleet({ state: 'down', problem: 'its Docker does not answer' }),
      fleet(),
      ['Normal Server//s1 ServerReady: ready, after down'],
    ],
    [
      'one that is new',
      { servers: [], problems: [] },
      fleet(),
      ['Normal Server//s1 ServerReady: ready, after out'],
    ],
    [
      'another leader',
      fleet(),
      fleet({ isLeader: true }),
      ['Normal Server//s1 Leader: it leads the managers'],
    ],
    [
      'a problem of the fleet, once',
      fleet({}, ['one']),
      fleet({}, ['one', 'quorum is lost']),
      ['Warning - FleetProblem: quorum is lost'],
    ],
  ])('tells %s', (_name, before, after, events) => expect(told(before, after)).toEqual(events));
});

describe('asKnown', () => {
  it('takes what cannot be told for what it was', () => {
    const before = fleet({ isLeader: true });
    const after = fleet({ state: 'unknown' }, ['none of the managers answers']);
    expect(asKnown(before, after)).toEqual(fleet({ isLeader: true }, after.problems));
    expect(asKnown(undefined, after)).toEqual(after);
    const down = fleet({ state: 'down' });
    expect(asKnown(before, down).servers[0]?.state).toBe('down');
  });
});

describe('stepEvents', () => {
  it('tells what was done with a server and why', () => {
    const step = { server: 's2', step: 'join', reason: 'it is declared and in no swarm' } as const;
    expect(stepEvents([step], 5)).toEqual([
      {
        at: 5,
        type: 'Normal',
        resource: 'Server//s2',
        reason: 'Joined',
        message: 'it is declared and in no swarm',
      },
    ]);
  });
});
