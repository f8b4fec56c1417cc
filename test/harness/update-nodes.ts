import type Docker from 'dockerode';
import { callDocker, DockerError } from '#adapters/docker/call.ts';

const TIMEOUT_MS = 60_000;

/** As Docker lists it. */
export interface SwarmNode {
  ID: string;
  Version: { Index: number };
  Spec: { Role: string; Labels?: Record<string, string> };
  Description: { Hostname: string };
}

/**
 * Changes what is said of the nodes, by way of a manager; answers how many there are. The swarm writes to a node too while
 * its server joins: what was read before that is refused, and read again.
 */
export async function updateNodes(
  docker: Docker,
  isOne: (node: SwarmNode) => boolean,
  change: (spec: SwarmNode['Spec']) => object,
): Promise<number> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const done = new Set<string>();
  for (;;) {
    const nodes = await callDocker<SwarmNode[]>(docker, { method: 'GET', path: '/nodes', signal });
    const left = nodes.filter((node) => !done.has(node.ID) && isOne(node));
    if (left.length === 0) return done.size;
    for (const { ID, Version, Spec } of left) {
      const path = `/nodes/${ID}/update`;
      const query = { version: Version.Index };
      try {
        await callDocker(docker, { method: 'POST', path, query, body: change(Spec), signal });
        done.add(ID);
      } catch (error) {
        if (!isOutOfDate(error)) throw error;
      }
    }
  }
}

function isOutOfDate(error: unknown): boolean {
  return error instanceof DockerError && error.message.includes('out of sequence');
}
