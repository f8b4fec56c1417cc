import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGate } from '../tools/gate.ts';
import type { Gate } from '../tools/gate.ts';
import { startWindlass } from './windlass.ts';
import type { RoleEnvironments, Surroundings, Windlass } from './windlass.ts';

const DOCKER = '/var/run/docker.sock';
const MANY_BUILDS = '8';

/** What lies between the parts. */
export interface Gates {
  serverRedis: Gate;
  workerRedis: Gate;
  /** Also of the worker's git. */
  buildServer: Gate;
  deployServer: Gate;
  buildDocker: Gate;
  deployDocker: Gate;
  /** Of everybody. */
  registry: Gate;
}

export interface GatedWindlass {
  windlass: Windlass;
  gates: Gates;
  stop(): Promise<void>;
}

/** Windlass in production's shape with a gate in each connection; `configOf` gets the address of the Docker engine. */
export async function startGatedWindlass(
  configOf: (docker: string) => string,
  prepare: (folder: string) => Promise<() => Promise<void>>,
): Promise<GatedWindlass> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-gates-'));
  const made = Promise.withResolvers<Gates>();
  const windlass = await startWindlass(configOf(`unix://${join(folder, 'deploy-docker')}`), {
    prepare,
    async environment(surroundings) {
      const gates = await startGates(folder, surroundings);
      made.resolve(gates);
      return environments(gates);
    },
  });
  const gates = await made.promise;
  return {
    windlass,
    gates,
    async stop() {
      await windlass.stop();
      await Promise.all(Object.values(gates).map((gate: Gate) => gate.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startGates(
  folder: string,
  { redis, registry, server }: Surroundings,
): Promise<Gates> {
  return {
    serverRedis: await startGate({ path: redis }, { path: join(folder, 'server-redis') }),
    workerRedis: await startGate({ path: redis }, { path: join(folder, 'worker-redis') }),
    buildServer: await startGate(server),
    deployServer: await startGate(server),
    buildDocker: await startGate({ path: DOCKER }, { path: join(folder, 'build-docker') }),
    deployDocker: await startGate({ path: DOCKER }, { path: join(folder, 'deploy-docker') }),
    registry: await startGate(registry),
  };
}

function environments(gates: Gates): RoleEnvironments {
  return {
    server: { REDIS_URL: gates.serverRedis.address.path },
    build: {
      REDIS_URL: gates.workerRedis.address.path,
      WINDLASS_SERVER_URL: urlOf(gates.buildServer),
      WINDLASS_REGISTRY: `127.0.0.1:${gates.registry.address.port}`,
      WINDLASS_BUILDS: MANY_BUILDS,
      DOCKER_HOST: `unix://${gates.buildDocker.address.path}`,
    },
    deploy: {
      REDIS_URL: gates.workerRedis.address.path,
      WINDLASS_SERVER_URL: urlOf(gates.deployServer),
      // Its leases are its own again when it comes back.
      WINDLASS_WORKER_NAME: 'deployer',
    },
  };
}

function urlOf({ address }: Gate): string {
  return `http://127.0.0.1:${address.port}`;
}
