import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import { networkName } from '#core/swarm/names.ts';
import { startContainer } from '../docker/containers.ts';
import type { DockerContext } from '../docker/context.ts';
import { filterOurs } from '../docker/marks.ts';
import type { SwarmContext } from './context.ts';
import { serverName } from './listed.ts';
import type { ListedNode } from './listed.ts';

interface ListedContainer {
  Id: string;
  State: string;
  HostConfig: { NetworkMode?: string };
}

interface ListedAttachment {
  NodeID: string;
  Spec: { NetworkAttachmentSpec?: { ContainerID: string } };
}

const ENDED = new Set(['created', 'exited']);

/**
 * Containers that are no tasks have a place on the cluster's network from Swarm. Docker (seen in 20.10) does not give it
 * back where the start of one fails after it got its place, as when the last task of the server takes the network with it
 * meanwhile; nor when such a container is removed. The next start has that same place, and gives it back at its end.
 */
export async function freePlaces(context: DockerContext, signal: AbortSignal): Promise<void> {
  const containers = await callDocker<ListedContainer[]>(context.docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters: filterOurs(context) },
    signal,
  });
  const network = networkName(context);
  for (const { Id, State, HostConfig } of containers) {
    if (HostConfig.NetworkMode !== network || !ENDED.has(State)) continue;
    try {
      await startContainer(context, Id, signal);
    } catch (error) {
      signal.throwIfAborted();
      // It gives its place back then too, as where the network has left the server.
      const reason = messageOf(error);
      context.log.info({ cluster: context.cluster, container: Id, reason }, 'not started again');
    }
  }
}

/** Who is on the network that Docker does not remove because of a container, in place of the task that Docker names. */
export async function tellUser(
  context: SwarmContext,
  message: string,
  signal: AbortSignal,
): Promise<string> {
  const task = /in use by task (\w+)/.exec(message)?.[1];
  if (task === undefined) return message;
  const filters = JSON.stringify({ runtime: ['attachment'], id: [task] });
  const [tasks, nodes] = await Promise.all([
    callDocker<ListedAttachment[] | null>(context.docker, {
      method: 'GET',
      path: '/tasks',
      query: { filters },
      signal,
    }),
    callDocker<ListedNode[]>(context.docker, { method: 'GET', path: '/nodes', signal }),
  ]);
  const { NodeID, Spec } = tasks?.[0] ?? {};
  const node = nodes.find(({ ID }) => ID === NodeID);
  const container = Spec?.NetworkAttachmentSpec?.ContainerID;
  if (node === undefined || container === undefined) return message;
  return `container ${container.slice(0, 12)} of server ${serverName(node)} is on it: remove it there, or, where it is gone and Docker has not noticed, restart Docker`;
}
