import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { SystemImages } from '#core/images.ts';

/** What every part of the engine works with. */
export interface DockerContext {
  docker: Docker;
  /** Docker may be on another machine: what this one has says nothing of it. */
  isRemote: boolean;
  cluster: string;
  installation: string;
  images: SystemImages;
  log: Logger;
}
