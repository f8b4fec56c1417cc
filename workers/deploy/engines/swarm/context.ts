import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { SystemImages } from '#core/images.ts';

/** What every part of the engine works with. */
export interface SwarmContext {
  /** A manager's. */
  docker: Docker;
  cluster: string;
  installation: string;
  images: SystemImages;
  log: Logger;
}
