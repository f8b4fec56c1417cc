import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { DockerContext } from '../docker/context.ts';
import { TASK_LABEL } from './listed.ts';
import type { ListedContainer } from './probes.ts';

/** A container of Docker's list. */
export type Found = ListedContainer & { Id: string };

const AT_REST = new Set(['created', 'exited', 'dead']);
/** So long (ms) Swarm itself has for it. */
const LOST_AFTER_MS = 30_000;

/**
 * Containers of tasks that Swarm knows no more, and that do not run: it forgets some of a server that was away while their
 * tasks went.
 */
export interface LostContainers {
  /** What a server has, of what is ours. */
  found(server: string, containers: readonly Found[]): void;
  /**
   * The ids of those that are to be removed, by server, of the servers that were looked at since the last call. `known`:
   * the tasks that there are, by a list that is younger than what was found; `now`: ms since the epoch.
   */
  due(known: ReadonlySet<string>, now: number): Map<string, string[]>;
}

export function createLostContainers(): LostContainers {
  const looked = new Map<string, readonly Found[]>();
  /** Since when, by server and id. A server that is not looked at for a while keeps its times. */
  const lostSince = new Map<string, ReadonlyMap<string, number>>();

  return {
    found(server, containers) {
      looked.set(server, containers.filter(isTask).filter(isAtRest));
    },
    due(known, now) {
      const due = new Map<string, string[]>();
      for (const [server, atRest] of looked) {
        const before = lostSince.get(server);
        const lost = atRest.filter(({ Labels }) => !known.has(Labels[TASK_LABEL] ?? ''));
        // The clock may have been set back since.
        const since = new Map(lost.map(({ Id }) => [Id, Math.min(before?.get(Id) ?? now, now)]));
        lostSince.set(server, since);
        const ids = [...since].flatMap(([id, at]) => (now - at >= LOST_AFTER_MS ? [id] : []));
        if (ids.length > 0) due.set(server, ids);
      }
      looked.clear();
      return due;
    },
  };
}

export function isTask({ Labels }: ListedContainer): boolean {
  return Labels[TASK_LABEL] !== undefined;
}

export function isAtRest({ State }: Pick<Found, 'State'>): boolean {
  return AT_REST.has(State);
}

/** With its logs and its volumes without a name. One that is gone is no error. */
export async function removeTaskContainer(
  { docker, cluster, log }: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const query = { v: true, force: true };
    await callDocker(docker, { method: 'DELETE', path: `/containers/${id}`, query, signal });
    log.info({ cluster, container: id }, 'removed what ended of a task that is no more');
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}
