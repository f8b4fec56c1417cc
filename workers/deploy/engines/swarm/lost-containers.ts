import { callDocker } from '#adapters/docker/call.ts';
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
  found(context: DockerContext, containers: readonly Found[]): void;
  /** `known`: the tasks that there are, by a list that is younger than what was found. */
  remove(known: ReadonlySet<string>, now: number, signal: AbortSignal): Promise<void>;
}

export function createLostContainers(): LostContainers {
  /** What the servers that were looked at have since the last removal. */
  const ended = new Map<DockerContext, Found[]>();
  /** Since when (ms since the epoch), by their ids. One server may not be looked at for a while. */
  const lostSince = new Map<DockerContext, ReadonlyMap<string, number>>();

  return {
    found(context, containers) {
      const tasks = containers.filter(({ Labels }) => Labels[TASK_LABEL] !== undefined);
      ended.set(
        context,
        tasks.filter(({ State }) => ENDED.has(State)),
      );
    },
    async remove(known, now, signal) {
      const due: { context: DockerContext; id: string }[] = [];
      for (const [context, containers] of ended) {
        const before = lostSince.get(context);
        const since = new Map(
          containers
            .filter(({ Labels }) => !known.has(Labels[TASK_LABEL] ?? ''))
            .map(({ Id }) => [Id, before?.get(Id) ?? now]),
        );
        lostSince.set(context, since);
        for (const [id, at] of since) if (now - at >= LOST_AFTER_MS) due.push({ context, id });
      }
      ended.clear();
      for (const { context, id } of due) await removeOne(context, id, signal);
    },
  };
}

/** What fails is tried again at the next look. */
async function removeOne(context: DockerContext, id: string, signal: AbortSignal): Promise<void> {
  const { docker, cluster, log } = context;
  try {
    const path = `/containers/${id}`;
    await callDocker(docker, { method: 'DELETE', path, query: { v: true, force: true }, signal });
    log.info({ cluster, container: id }, 'removed what ended of a task that is no more');
  } catch (error) {
    signal.throwIfAborted();
    log.info({ cluster, container: id, reason: messageOf(error) }, 'what ended is not removed');
  }
}
