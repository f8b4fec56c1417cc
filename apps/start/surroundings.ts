import { join } from 'node:path';
import type { Logger } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { ensureImages } from '#adapters/images/ensure.ts';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from '#adapters/debian/tool.ts';
import { ensureDockerd } from '#adapters/processes/dockerd.ts';
import { startRedis } from '#adapters/processes/redis.ts';
import { startRegistry } from '#adapters/processes/registry.ts';
import type { KeptProcess } from '#adapters/processes/kept-process.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Cleanup } from './cleanup.ts';
import type { Report } from './report.ts';

export const DOCKER_SOCKET = '/var/run/docker.sock';

export interface SurroundingsRequest {
  stateDir: string;
  /** As in the environment. */
  path: string;
  /** A Redis and a registry of the operator's, instead of ones started here. */
  redisUrl?: string;
  registry?: string;
  report: Report;
  cleanup: Cleanup;
  log: Logger;
}

export interface Surroundings {
  redisUrl: string;
  registry: string;
  /** Frees what was deleted in a registry that was started here. */
  freeRegistry?: () => Promise<void>;
}

/** Everything Windlass stands on: the Docker Engine, its own images, Redis and a registry. */
export async function setUpSurroundings(
  request: SurroundingsRequest,
  signal: AbortSignal,
): Promise<Surroundings> {
  await setUpDocker(request, signal);
  const redisUrl = request.redisUrl ?? (await setUpRedis(request, signal));
  const registry =
    request.registry === undefined
      ? await setUpRegistry(request, signal)
      : { registry: request.registry };
  await setUpImages(request, signal);
  return { redisUrl, ...registry };
}

async function setUpDocker(
  { stateDir, path, report }: SurroundingsRequest,
  signal: AbortSignal,
): Promise<void> {
  await report.step('docker', async () => {
    const logFile = join(stateDir, 'dockerd.log');
    function onStep(what: string): void {
      report.line(`  ${what} …`);
    }
    await ensureDockerd({ socket: DOCKER_SOCKET, logFile, path, onStep }, signal);
    return { told: `answers on ${DOCKER_SOCKET}`, value: undefined };
  });
}

function setUpRedis(request: SurroundingsRequest, signal: AbortSignal): Promise<string> {
  const { stateDir, report, cleanup, log } = request;
  return report.step('redis', async () => {
    const tool = await findTool(REDIS_SERVER, searchOf(request), signal);
    const redis = await startRedis({ folder: join(stateDir, 'redis'), tool, log }, signal);
    cleanup.add('redis', () => redis.stop());
    return { told: `${verbFor(redis)}, keeps every write`, value: redis.url };
  });
}

function setUpRegistry(
  request: SurroundingsRequest,
  signal: AbortSignal,
): Promise<Required<Omit<Surroundings, 'redisUrl'>>> {
  const { stateDir, report, cleanup, log } = request;
  return report.step('registry', async () => {
    const tool = await findTool(DOCKER_REGISTRY, searchOf(request), signal);
    const registry = await startRegistry({ folder: join(stateDir, 'registry'), tool, log }, signal);
    cleanup.add('the registry', () => registry.stop());
    const value = { registry: registry.host, freeRegistry: () => registry.free() };
    return { told: `${verbFor(registry)} on ${registry.host}`, value };
  });
}

async function setUpImages(request: SurroundingsRequest, signal: AbortSignal): Promise<void> {
  await request.report.step('images', async () => {
    const docker = connectDocker(`unix://${DOCKER_SOCKET}`);
    const images = await ensureImages(docker, SYSTEM_IMAGES, searchOf(request), signal);
    const told = images.map(({ image, how }) => `${image} ${how}`).join(', ');
    return { told, value: undefined };
  });
}

function searchOf({ stateDir, path }: SurroundingsRequest): { tools: string; path: string } {
  return { tools: join(stateDir, 'tools'), path };
}

function verbFor({ adopted }: KeptProcess): string {
  return adopted ? 'taken over' : 'started';
}
