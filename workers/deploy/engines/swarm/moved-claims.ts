import type Docker from 'dockerode';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import { claimVolume } from '#core/swarm/names.ts';
import type { SwarmClaim, SwarmWorld } from '#core/swarm/world.ts';
import type { SwarmContext } from './context.ts';
import type { Connect } from './server-proxies.ts';

/** Claims whose node is in the swarm no more: a server of that name that has the volume is the same, joined anew. */
export async function findMovedClaims(
  context: SwarmContext,
  claims: readonly SwarmClaim[],
  nodes: SwarmWorld['nodes'],
  { connect, signal }: { connect: Connect | undefined; signal: AbortSignal },
): Promise<SwarmClaim[]> {
  return Promise.all(
    claims.map(async (claim) => {
      if (nodes.some(({ id }) => id === claim.node)) return claim;
      const node = nodes.find(({ server, state }) => server === claim.server && state === 'ready');
      if (node === undefined) return claim;
      const docker = dockerOf(context, nodes, node.id, connect);
      if (docker === undefined) return claim;
      try {
        const isThere = await hasVolume(docker, claimVolume(context, claim), signal);
        return isThere ? { ...claim, foundOn: node.id } : claim;
      } catch (error) {
        signal.throwIfAborted();
        const { cluster } = context;
        const fields = { cluster, server: node.server, reason: messageOf(error) };
        context.log.warn(fields, 'a server that came back does not tell of its volumes');
        return claim;
      }
    }),
  );
}

/** The Docker of the server that the node is; absent where it is not reached. */
export function dockerOf(
  context: SwarmContext,
  nodes: SwarmWorld['nodes'],
  id: string,
  connect: Connect | undefined,
): Docker | undefined {
  const server = nodes.find((node) => node.id === id)?.server ?? '';
  return connect === undefined ? context.docker : connect(server);
}

async function hasVolume(docker: Docker, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await callDocker(docker, { method: 'GET', path: `/volumes/${name}`, signal });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}
