import { Reach } from '#core/declarations/cluster-server.ts';
import type { Server } from '#core/declarations/cluster-server.ts';
import { UserError } from '#core/errors.ts';
import type { DeclaredServer } from './seen.ts';

/** The servers of a swarm as its file says. */
export function declaredServers(servers: readonly Server[]): DeclaredServer[] {
  return servers.map((server) => ({
    name: server.name,
    role: server.role ?? 'worker',
    state: server.state ?? 'active',
    advertise: server.advertise ?? '',
    labels: server.labels ?? {},
    reach: reachOf(server),
  }));
}

/** How a server is reached, in words that are the same for the same way. */
function reachOf({ docker, ssh, tls }: Reach): string {
  return JSON.stringify({
    docker,
    ...(ssh === undefined ? {} : { ssh }),
    ...(tls === undefined ? {} : { tls }),
  });
}

/** What `reach` of a declared server says; it may come from the label of a node, where anybody who manages it writes. */
export function parseReach(reach: string): Reach {
  const parsed = Reach.safeParse(parseJson(reach));
  if (parsed.success) return parsed.data;
  throw new UserError('invalid-input', `${reach} does not say how a server is reached`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
