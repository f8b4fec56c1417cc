import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import type { SystemImages } from '#core/images.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';
import type { DeclaredServer } from '#core/swarm/servers/seen.ts';

/** What every part that deals with servers works with. */
export interface ServersContext {
  declared: readonly DeclaredServer[];
  /** On the swarm: whose it is. */
  mark: string;
  place: SwarmPlace;
  images: SystemImages;
  /** Filter of Docker's API: containers of this cluster that are beside Swarm. */
  ours: string;
  /** The client of a server, by how it is reached; the same one each time. */
  client: (reach: string) => Docker;
  readCredentials: ReadCredentials;
  log: Logger;
}
