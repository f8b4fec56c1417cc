import { join } from 'node:path';
import type { Logger } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createCredentialsReader } from '#adapters/docker/credentials.ts';
import { createImageEngine } from '#adapters/docker/image-engine.ts';
import { createMirrors } from '#adapters/git/mirror.ts';
import { createRegistryClient } from '#adapters/registry/registry-client.ts';
import { resolveWithAny } from '#adapters/registry/resolve-digest.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { createServerApi } from '#adapters/server-api/client.ts';
import type { Connection } from '#adapters/server-api/client.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRegistryGate } from '#adapters/store/registry-gate.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { readEngine } from './read-engine.ts';
import { startCollector } from './collector.ts';
import { startBuildWorker } from './worker.ts';

export interface BuildRoleSettings {
  stateDir: string;
  installation: string;
  redisUrl: string;
  /** Where images go that name no repository. */
  registry: string;
  /** `unix://…` of the engine that builds. */
  docker: string;
  /** `config.json` of the Docker CLI. */
  dockerConfig: string;
  server: Connection;
  /** Of this process: what git inherits, and what declarations may name as secrets. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Frees what was deleted in the registry, where it is this process that runs it. */
  freeRegistry?: (signal: AbortSignal) => Promise<void>;
  /** At a time. */
  builds?: number;
  log: Logger;
}

/** A build worker with all it needs of the world; ends by handing back what it has under way. */
export function startBuildRole(settings: BuildRoleSettings): { close(): Promise<void> } {
  const { stateDir, installation, registry, environment, server, log } = settings;
  const redis = connectRedis(settings.redisUrl);
  const docker = connectDocker(settings.docker);
  const credentials = createCredentialsReader(settings.dockerConfig);
  const folders = {
    mirrors: join(stateDir, 'build', 'mirrors'),
    checkouts: join(stateDir, 'build', 'checkouts'),
  };
  const mirrors = createMirrors(folders.mirrors, environment);
  const runs = createRunStore(redis);
  const gate = createRegistryGate(redis);
  const shared = createSharedState(redis);
  const api = createServerApi({
    ...server,
    onOutage: (reason) => log.warn({ reason }, 'waiting for the server'),
  });
  const collector = startCollector({
    docker,
    runs,
    server: api,
    gate,
    ...(settings.freeRegistry === undefined ? {} : { free: settings.freeRegistry }),
    memory: { gone: new Set(), isRefused: false, freedAt: Date.now() },
    mirrors,
    registry: createRegistryClient(credentials),
    settings: { installation, registry, ...folders },
    now: Date.now,
    log,
  });
  const worker = startBuildWorker({
    redis,
    runs,
    server: api,
    gate,
    mirrors,
    engine: createImageEngine(docker, credentials),
    resolveDigest: (image, logins, signal) =>
      resolveWithAny(docker, image, logins, credentials, signal),
    readSecret: createSecretReader(environment),
    engineOf: (cluster) => readEngine(shared, cluster),
    settings: {
      installation,
      registry,
      serverUrl: server.url,
      workerToken: server.token,
      checkouts: folders.checkouts,
      programs: environment['PATH'] ?? '',
    },
    now: Date.now,
    onBuilt: () => collector.afterBuild(),
    ...(settings.builds === undefined ? {} : { concurrency: settings.builds }),
    log,
  });
  return {
    async close() {
      await worker.close();
      await collector.close();
      redis.disconnect();
    },
  };
}
