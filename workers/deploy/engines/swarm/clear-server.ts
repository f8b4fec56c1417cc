import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import { networkName } from '#core/swarm/names.ts';
import { startContainer } from '../docker/containers.ts';
import type { DockerContext } from '../docker/context.ts';
import { filterOurs } from '../docker/marks.ts';
import type { SystemPod } from '../docker/system-pod.ts';
import { isAtRest, isTask, removeTaskContainer } from './lost-containers.ts';
import type { Found } from './lost-containers.ts';
import { removeProbes } from './probes.ts';

const MOST_LOOKS = 20;
const LOOK_AGAIN_MS = 250;

type OnNetwork = Found & { HostConfig: { NetworkMode?: string } };

/**
 * Removes what a server has of a cluster without services: what ended of its tasks, proxies, name servers. Answers what
 * stays and why; a later call tries again.
 */
export async function clearServer(
  { context, system }: { context: DockerContext; system: SystemPod },
  signal: AbortSignal,
): Promise<string[]> {
  const containers = await listWhenEnded(context, signal);
  const stays: string[] = [];
  for (const container of containers.filter(isTask)) {
    const why = await removeTask(context, container, signal);
    if (why !== undefined) stays.push(`container ${container.Id.slice(0, 12)} ${why}`);
  }
  await freePlaces(context, containers, signal);
  await system.removeAll(signal);
  await removeProbes(context, signal);
  return stays;
}

/** As they are once no task runs any more, or after a while. */
async function listWhenEnded(context: DockerContext, signal: AbortSignal): Promise<OnNetwork[]> {
  for (let looks = 1; ; looks += 1) {
    const containers = await callDocker<OnNetwork[]>(context.docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters: filterOurs(context) },
      signal,
    });
    if (looks === MOST_LOOKS || containers.filter(isTask).every(isAtRest)) return containers;
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** Answers why it stays. */
async function removeTask(
  context: DockerContext,
  container: Found,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!isAtRest(container)) return 'has still to end';
  try {
    await removeTaskContainer(context, container.Id, signal);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `is not removed: ${messageOf(error)}`;
  }
}

/**
 * Swarm gives containers that are no tasks a place on the cluster's network. Docker (seen in 20.10) does not give it back
 * where a start fails between that and the container's own end of the network, as when the server's last task takes the
 * network with it meanwhile; nor when such a container is removed. Its next start has the same place, which is given back
 * when the container ends, or at once where the network has left the server.
 */
async function freePlaces(
  context: DockerContext,
  containers: readonly OnNetwork[],
  signal: AbortSignal,
): Promise<void> {
  const network = networkName(context);
  for (const container of containers) {
    const isOnIt = container.HostConfig.NetworkMode === network && !isTask(container);
    if (!isOnIt || !isAtRest(container)) continue;
    try {
      await startContainer(context, container.Id, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = messageOf(error);
      const { cluster } = context;
      context.log.info({ cluster, container: container.Id, reason }, 'not started once more');
    }
  }
}
