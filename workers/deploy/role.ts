import type { Logger } from 'pino';
import { connectServer } from '#adapters/docker/connect-server.ts';
import { createCredentialsReader } from '#adapters/docker/credentials.ts';
import type { SshUser } from '#adapters/docker/remote/ssh-login.ts';
import { connectKubernetes } from '#adapters/kubernetes/connect.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { createServerApi } from '#adapters/server-api/client.ts';
import type { Connection } from '#adapters/server-api/client.ts';
import { createEventStore } from '#adapters/store/event-store.ts';
import { createLease } from '#adapters/store/lease.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { dialTunnel } from '#adapters/tunnel/dial.ts';
import { troubleListener } from '#adapters/store/trouble.ts';
import type { Engine } from '#core/engine.ts';
import type { SystemImages } from '#core/images.ts';
import { parseReach } from '#core/swarm/servers/declared-servers.ts';
import type { Controlled } from './cluster-worker.ts';
import { createDockerEngine } from './engines/docker/engine.ts';
import { createKubernetesEngine } from './engines/kubernetes/engine.ts';
import { createFleetEngine } from './engines/swarm/fleet.ts';
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
  /** Of this process: what Clusters may name as secrets. */
  environment: Readonly<Record<string, string | undefined>>;
  /** With what it logs in at servers that name no key of their own. */
  ssh: SshUser;
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

  const access = { user: settings.ssh, readSecret: createSecretReader(settings.environment) };

  async function createEngine({ cluster, retired }: Controlled): Promise<Engine> {
    const common = { cluster, installation, sealKey: recordsKey, images, readCredentials, log };
    if (cluster.spec.engine === 'swarm')
      return createFleetEngine({
        ...common,
        retired,
        connect: (reach) => connectServer(parseReach(reach), access),
      });
    const { kubeconfig, context, health = [], accounts = {} } = cluster.spec;
    if (kubeconfig !== undefined) {
      const { environment } = settings;
      return createKubernetesEngine({
        cluster: cluster.metadata.name,
        client: await connectKubernetes(kubeconfig, context, access.readSecret, environment),
        installation,
        sealKey: recordsKey,
        health,
        accounts,
        log,
      });
    }
    const [machine] = cluster.spec.servers;
    const { docker, close } = connectServer(machine ?? { docker: '' }, access);
    const engine = createDockerEngine({ ...common, docker });
    return {
      ...engine,
      async close() {
        await engine.close();
        close();
      },
    };
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
