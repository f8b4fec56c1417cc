import { join } from 'node:path';
import type { Logger } from 'pino';
import { boundLogs } from '#adapters/processes/bound-logs.ts';
import type { SshUser } from '#adapters/docker/remote/ssh-login.ts';
import { holdLock } from '#adapters/processes/lock-file.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { startBuildRole } from '../../workers/build/role.ts';
import { startDeployRole } from '../../workers/deploy/role.ts';
import { startServer } from '../server/server.ts';
import type { Cleanup } from './cleanup.ts';
import { checkStateVersion } from '#adapters/state/state-version.ts';
import { createWorkerToken } from '#adapters/state/worker-token.ts';
import type { Report } from './report.ts';
import { DOCKER_SOCKET, setUpSurroundings } from './surroundings.ts';

/** In the state folder. */
export const WINDLASS_LOG = 'windlass.log';

export interface EmbeddedSettings {
  stateDir: string;
  /** `host:port`. */
  listen: string;
  /** Folder with `pipelines/*.yaml`, `/git/config.git` or URL. */
  config: string;
  redisUrl?: string;
  registry?: string;
  dockerConfig: string;
  environment: Readonly<Record<string, string | undefined>>;
  ssh: SshUser;
  report: Report;
  cleanup: Cleanup;
  log: Logger;
}

export interface Embedded {
  url: string;
  adminToken: string;
}

/** Server, build worker and deploy worker in this process, on what it sets up beneath them. */
export async function startEmbedded(
  settings: EmbeddedSettings,
  signal: AbortSignal,
): Promise<Embedded> {
  const { stateDir, report, cleanup, log, environment, dockerConfig } = settings;
  cleanup.add('the lock', await holdLock(join(stateDir, 'start.lock'), 'windlass'));
  await checkStateVersion(stateDir);
  const logs = [WINDLASS_LOG, 'redis/redis.log', 'registry/registry.log', 'dockerd.log'];
  void boundLogs(
    logs.map((name) => join(stateDir, name)),
    log,
    signal,
  );
  const path = environment['PATH'] ?? '';
  const { redisUrl, ...registry } = await setUpSurroundings({ ...settings, path }, signal);
  return report.step('windlass', async () => {
    const { listen, config } = settings;
    const server = await startServer({ stateDir, listen, redisUrl, config, environment, log });
    cleanup.add('the server', () => server.close());
    const shared = {
      ...server.identity,
      redisUrl,
      dockerConfig,
      server: { url: server.url, token: createWorkerToken(stateDir, undefined) },
      log,
    };
    const docker = `unix://${DOCKER_SOCKET}`;
    const deploy = startDeployRole({
      ...shared,
      environment,
      ssh: settings.ssh,
      images: SYSTEM_IMAGES,
      holder: `embedded-${server.identity.installation}`,
    });
    cleanup.add('the deploy worker', () => deploy.close());
    const build = startBuildRole({ ...shared, ...registry, stateDir, docker, environment });
    cleanup.add('the build worker', () => build.close());
    return {
      told: `server, build worker and deploy worker on ${server.url}`,
      value: { url: server.url, adminToken: server.adminToken },
    };
  });
}
