import type { Logger } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createCredentialsReader } from '#adapters/docker/credentials.ts';
import { createServerApi } from '#adapters/server-api/client.ts';
import type { Connection } from '#adapters/server-api/client.ts';
import { createEventStore } from '#adapters/store/event-store.ts';
import { createLease } from '#adapters/store/lease.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { dialTunnel } from '#adapters/tunnel/dial.ts';
import { troubleListener } from '#adapters/store/trouble.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import type { Engine } from '#core/engine.ts';
import type { SystemImages } from '#core/images.ts';
import { createDockerEngine } from './engines/docker/engine.ts';
import { startDeployWorker } from './worker.ts';

export interface DeployRoleSettings {
  installation: string;
  /** Of the hashes by which it tells whether a Secret has changed: the same for every deploy worker. */
  recordsKey: string;
  redisUrl: string;
  images: SystemImages;
  /** `config.json` of the Docker CLI. */
  dockerConfig: string;
  server: Connection;
  /** This worker's name; one that comes back under its own takes its leases up again at once. */
  holder: string;
  log: Logger;
}

/** A deploy worker with all it needs of the world; ends by leaving its clusters to others. */
export function startDeployRole(settings: DeployRoleSettings): { close(): Promise<void> } {
  const { installation, recordsKey, images, server, holder, log } = settings;
  const redis = connectRedis(settings.redisUrl, troubleListener(log, Date.now));
  const stop = new AbortController();
  const readCredentials = createCredentialsReader(settings.dockerConfig);

  function createEngine(cluster: Cluster): Promise<Engine> {
    const [machine] = cluster.spec.servers;
    const docker = connectDocker(machine?.docker ?? '');
    const options = {
      cluster,
      docker,
      installation,
      sealKey: recordsKey,
      images,
      readCredentials,
      log,
    };
    return Promise.resolve(createDockerEngine(options));
  }

  const ended = startDeployWorker(
    {
      redis,
      runs: createRunStore(redis),
      shared: createSharedState(redis),
      events: createEventStore(redis),
      lease: createLease(redis),
      server: createServerApi({
        ...server,
        onOutage: (reason) => log.warn({ reason }, 'waiting for the server'),
      }),
      createEngine,
      async dialTunnel(id, signal) {
        const url = new URL(`/internal/v1/tunnels/${id}`, server.url);
        return dialTunnel(url, (await server.token()).reveal(), signal);
      },
      holder,
      log,
    },
    stop.signal,
  ).catch((error: unknown) => {
    if (!stop.signal.aborted) log.error({ err: error }, 'the deploy worker ended');
  });
  return {
    async close() {
      stop.abort();
      await ended;
      redis.disconnect();
    },
  };
}
