import type { ClusterEvent } from '#core/events/event.ts';
import type { FleetStatus, ServerStatus, ServerStepDone } from '#core/swarm/servers/report.ts';
import type { StepKind } from '#core/swarm/servers/step.ts';

const REASONS: Readonly<Record<StepKind, string>> = {
  init: 'SwarmBegun',
  join: 'Joined',
  label: 'Relabelled',
  promote: 'Promoted',
  demote: 'Demoted',
  activate: 'Activated',
  pause: 'Paused',
  drain: 'Draining',
  leave: 'Left',
  remove: 'Removed',
  clean: 'Cleaned',
};

/** What was done with servers, each step with why. */
export function stepEvents(steps: readonly ServerStepDone[], at: number): ClusterEvent[] {
  return steps.map(({ server, step, reason }) => ({
    at,
    type: 'Normal',
    resource: serverKey(server),
    reason: REASONS[step],
    message: reason,
  }));
}

/**
 * The fleet with what is known of it: a server whose state cannot be told, as without a leader, is taken for what it was
 * before, and the leader for who it was.
 */
export function asKnown(before: FleetStatus | undefined, after: FleetStatus): FleetStatus {
  const known = new Map(before?.servers.map((server) => [server.name, server]));
  const hasLeader = after.servers.some(({ isLeader }) => isLeader);
  return {
    ...after,
    servers: after.servers.map((server) => {
      const was = known.get(server.name);
      if (was === undefined) return server;
      return {
        ...server,
        state: server.state === 'unknown' ? was.state : server.state,
        isLeader: hasLeader ? server.isLeader : was.isLeader,
      };
    }),
  };
}

/** What happened to servers between two looks; of the first one what is wrong then. */
export function fleetEvents(
  before: FleetStatus | undefined,
  after: FleetStatus | undefined,
  at: number,
): ClusterEvent[] {
  if (after === undefined) return [];
  const { servers, problems }: FleetStatus = before ?? {
    servers: after.servers.map(({ problem: _problem, ...server }) => server),
    problems: [],
  };
  const known = new Map(servers.map((server) => [server.name, server]));
  return [
    ...after.servers.flatMap((server) => serverEvents(known.get(server.name), server, at)),
    ...after.problems
      .filter((problem) => !problems.includes(problem))
      .map((message): ClusterEvent => ({ at, type: 'Warning', reason: 'FleetProblem', message })),
  ];
}

function serverEvents(
  before: ServerStatus | undefined,
  after: ServerStatus,
  at: number,
): ClusterEvent[] {
  const about = { at, resource: serverKey(after.name) };
  const was = before?.state ?? 'out';
  const { state, problem, isLeader } = after;
  return [
    ...(was === state ? [] : [{ ...about, ...stateEvent(was, after) }]),
    ...(isLeader && before?.isLeader !== true
      ? [{ ...about, type: 'Normal' as const, reason: 'Leader', message: 'it leads the managers' }]
      : []),
    ...(problem === undefined || problem === before?.problem
      ? []
      : [{ ...about, type: 'Warning' as const, reason: 'ServerProblem', message: problem }]),
  ];
}

function stateEvent(
  was: string,
  { state }: ServerStatus,
): Pick<ClusterEvent, 'type' | 'reason' | 'message'> {
  const message = `${state}, after ${was}`;
  if (state === 'ready') return { type: 'Normal', reason: 'ServerReady', message };
  if (state === 'out') return { type: 'Normal', reason: 'ServerOut', message };
  return { type: 'Warning', reason: 'ServerNotReady', message };
}

/** What events about a server name as their resource. */
export function serverKey(name: string): string {
  return `Server//${name}`;
}
