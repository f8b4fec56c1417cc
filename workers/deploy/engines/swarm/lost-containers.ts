import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from '../docker/context.ts';
import { TASK_LABEL } from './listed.ts';
import type { ListedContainer } from './probes.ts';

const ENDED = new Set(['exited', 'dead']);
/** So long (ms) Swarm itself has for it. */
const LOST_AFTER_MS = 30_000;

type Found = ListedContainer & { Id: string };

/**
 * Containers of tasks that Swarm knows no more, and that ended: it forgets some of a server that was away while their tasks
 * went. With them go their logs and volumes without a name.
 */
export interface LostContainers {
  /** What a server has, of what is ours. */
  found(server: string, context: DockerContext, containers: readonly Found[]): void;
  /** Answers what could not be removed and why, a line each; a later call tries again. */
  remove(lost: Lost, signal: AbortSignal): Promise<string[]>;
}

export interface Lost {
  /** The tasks that there are, by a list that is younger than what was found. */
  known: ReadonlySet<string>;
  now: number;
  /** Whether Swarm has time to do it itself. */
  waits: boolean;
}

interface Server {
  context: DockerContext;
  /** Absent: not looked at since the last removal. */
  ended?: readonly Found[];
  /** Ms since the epoch, by their ids. */
  lostSince: ReadonlyMap<string, number>;
}

export function createLostContainers(): LostContainers {
  const servers = new Map<string, Server>();

  return {
    found(server, context, containers) {
      const tasks = containers.filter(({ Labels }) => Labels[TASK_LABEL] !== undefined);
      const ended = tasks.filter(({ State }) => ENDED.has(State));
      const lostSince = servers.get(server)?.lostSince ?? new Map<string, number>();
      servers.set(server, { context, ended, lostSince });
    },
    async remove({ known, now, waits }, signal) {
      const failed: string[] = [];
      for (const [server, { context, ended, lostSince: before }] of servers) {
        if (ended === undefined) continue;
        const lost = ended.filter(({ Labels }) => !known.has(Labels[TASK_LABEL] ?? ''));
        const lostSince = new Map(lost.map(({ Id }) => [Id, before.get(Id) ?? now]));
        servers.set(server, { context, lostSince });
        for (const [id, since] of lostSince) {
          if (waits && now - since < LOST_AFTER_MS) continue;
          const why = await removeOne(context, id, signal);
          if (why !== undefined) failed.push(`container ${id.slice(0, 12)} of ${server}: ${why}`);
        }
      }
      return failed;
    },
  };
}

/** Answers why it could not be done. */
async function removeOne(
  { docker, cluster, log }: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const path = `/containers/${id}`;
    await callDocker(docker, { method: 'DELETE', path, query: { v: true, force: true }, signal });
    log.info({ cluster, container: id }, 'removed what ended of a task that is no more');
    return undefined;
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    signal.throwIfAborted();
    const reason = messageOf(error);
    log.info({ cluster, container: id, reason }, 'what ended is not removed');
    return reason;
  }
}
