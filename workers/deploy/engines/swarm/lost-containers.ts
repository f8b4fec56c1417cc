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
  const ended = new Map<DockerContext, Found[]>();
  /** Since when (ms since the epoch), by their ids. */
  let lostSince = new Map<string, number>();

  return {
    found(context, containers) {
      const tasks = containers.filter(({ Labels }) => Labels[TASK_LABEL] !== undefined);
      ended.set(
        context,
        tasks.filter(({ State }) => ENDED.has(State)),
      );
    },
    async remove(known, now, signal) {
      const lost = [...ended].flatMap(([context, containers]) =>
        containers
          .filter(({ Labels }) => !known.has(Labels[TASK_LABEL] ?? ''))
          .map(({ Id }) => ({ context, id: Id, since: lostSince.get(Id) ?? now })),
      );
      ended.clear();
      lostSince = new Map(lost.map(({ id, since }) => [id, since]));
      for (const { context, id, since } of lost)
        if (now - since >= LOST_AFTER_MS) await removeOne(context, id, signal);
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
