import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { networkName } from '#core/swarm/names.ts';
import type { SwarmContext } from './context.ts';
import type { ListedTask } from './listed.ts';
import { addressOf } from './observe.ts';

interface NetworkAnswer {
  Containers: Record<string, { Name: string; IPv4Address: string }> | null;
}

/** As Docker calls it. */
function balancerName(context: SwarmContext): string {
  return `${networkName(context)}-endpoint`;
}

/** The address of the load balancer that Swarm has on the cluster's network, on this server; absent where it has none. */
export async function balancerAddress(
  context: SwarmContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = `/networks/${networkName(context)}`;
  try {
    const { Containers } = await callDocker<NetworkAnswer>(context.docker, {
      method: 'GET',
      path,
      signal,
    });
    const endpoints = Object.values(Containers ?? {});
    const found = endpoints.find(({ Name }) => Name === balancerName(context));
    return found?.IPv4Address.split('/')[0];
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Until Docker brings the network to the server anew. It spreads what comes for `vip` endpoints, and nothing else. */
export async function removeBalancer(context: SwarmContext, signal: AbortSignal): Promise<void> {
  try {
    await callDocker(context.docker, {
      method: 'POST',
      path: `/networks/${networkName(context)}/disconnect`,
      body: { Container: balancerName(context), Force: true },
      signal,
    });
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}

/** The servers, of those with the addresses of their balancers, on which the balancer has the address of a task. */
export function clashing(
  balancers: ReadonlyMap<string, string>,
  tasks: readonly ListedTask[],
  networkId: string | undefined,
): string[] {
  const running = tasks.filter(({ Status }) => Status.State === 'running');
  const taken = new Set(running.map((task) => addressOf(task, networkId)));
  return [...balancers].flatMap(([node, address]) => (taken.has(address) ? [node] : []));
}
