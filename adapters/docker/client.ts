import type { Agent } from 'node:http';
import Docker from 'dockerode';

/** Docker's own variables of the environment would otherwise say where it is. */
const UNSAID = {
  host: undefined,
  port: undefined,
  username: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  pathPrefix: '/',
  protocol: 'http',
} as const;

/** A client of the engine that a socket of this machine, or an agent's connections, lead to. */
export function createClient(where: { socketPath: string } | { agent: Agent }): Docker {
  if ('socketPath' in where) return new Docker({ ...UNSAID, ...where });
  // The name is for the Host header only.
  return new Docker({ ...UNSAID, ...where, host: 'docker' });
}
