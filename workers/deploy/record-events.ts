import type { Logger } from 'pino';
import { changeEvents } from '#core/events/change-events.ts';
import type { ClusterEvent } from '#core/events/event.ts';
import { asKnown, fleetEvents, stepEvents } from '#core/events/fleet-events.ts';
import { statusEvents } from '#core/events/status-events.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import type { ClusterStatus } from '#core/ports.ts';
import type { ServerStepDone } from '#core/swarm/servers/report.ts';

type Seen = Pick<ClusterStatus, 'owners' | 'orphans' | 'error' | 'fleet'>;

/** Tells what happens on a cluster. Nothing here is waited for: with Redis away, healing goes on. */
export interface EventRecorder {
  /** After each pass: how it stands now, what was carried out, and the steps that were taken with servers. */
  passed(
    status: Seen,
    done: readonly { owner: OwnerKey; plan: Plan }[],
    steps?: readonly ServerStepDone[],
  ): void;
  tell(event: Omit<ClusterEvent, 'at'>): void;
}

export interface EventRecorderDependencies {
  append: (events: readonly ClusterEvent[]) => Promise<void>;
  /** How the cluster was when it was last looked at, by whomever. */
  last: Seen | undefined;
  now: () => number;
  log: Logger;
}

export function createEventRecorder(dependencies: EventRecorderDependencies): EventRecorder {
  const { append, now, log } = dependencies;
  let before = dependencies.last;
  const told = new Map<OwnerKey, string>();

  function send(events: readonly ClusterEvent[]): void {
    if (events.length === 0) return;
    append(events).catch((error: unknown) => log.warn({ err: error }, 'events not recorded'));
  }

  /** What is tried in vain again and again is told once. */
  function newChanges(
    done: readonly { owner: OwnerKey; plan: Plan }[],
    at: number,
  ): ClusterEvent[] {
    const owners = new Set(done.map(({ owner }) => owner));
    for (const owner of told.keys()) if (!owners.has(owner)) told.delete(owner);
    return done.flatMap(({ owner, plan }) => {
      const text = JSON.stringify(plan);
      if (told.get(owner) === text) return [];
      told.set(owner, text);
      return changeEvents(owner, plan, at);
    });
  }

  function withKnown(status: Seen): Seen {
    const { fleet } = status;
    return fleet === undefined ? status : { ...status, fleet: asKnown(before?.fleet, fleet) };
  }

  return {
    passed(seenNow, done, steps = []) {
      const at = now();
      const status = withKnown(seenNow);
      const { error } = status;
      send([...stepEvents(steps, at), ...fleetEvents(before?.fleet, status.fleet, at)]);
      if (error !== undefined) {
        if (before?.error !== error)
          send([{ at, type: 'Warning', reason: 'Unreachable', message: error }]);
        // What it looked like is kept: not seen is not gone.
        const { fleet = before?.fleet } = status;
        before = {
          owners: before?.owners ?? [],
          orphans: before?.orphans ?? [],
          error,
          ...(fleet === undefined ? {} : { fleet }),
        };
        return;
      }
      const isBack = before?.error !== undefined;
      const back: ClusterEvent = { at, type: 'Normal', reason: 'Reachable', message: 'again' };
      const seen = before === undefined ? [] : statusEvents(before, status, at);
      send([...(isBack ? [back] : []), ...newChanges(done, at), ...seen]);
      before = status;
    },
    tell: (event) => send([{ at: now(), ...event }]),
  };
}
