import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDocker } from '#adapters/docker/connect.ts';
import { ensureImages } from '#adapters/images/ensure.ts';
import { DOCKER_REGISTRY, findTool, REDIS_SERVER } from '#adapters/debian/tool.ts';
import { ensureDockerd } from '#adapters/processes/dockerd.ts';
import { startOf } from '#adapters/processes/identity.ts';
import { stopProcess } from '#adapters/processes/stop-process.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { cleanUpLeft } from './support/installation.ts';

const DOCKER_SOCKET = '/var/run/docker.sock';
const SETUP_TIMEOUT_MS = 900_000;
const DOCKER_STOP_MS = 30_000;

/**
 * What tests and benchmarks need of a machine: Docker Engine, Redis, registry and images, each made where it is missing.
 * Answers what ends the Docker Engine, where it was started here. Throws an Error that says what to install.
 */
export async function setUp(
  say: (line: string) => void,
  stop?: AbortSignal,
): Promise<() => Promise<void>> {
  const timeout = AbortSignal.timeout(SETUP_TIMEOUT_MS);
  const signal = stop === undefined ? timeout : AbortSignal.any([stop, timeout]);
  const path = process.env['PATH'] ?? '';
  const logFile = join(tmpdir(), 'windlass-test-dockerd.log');
  const { startedPid } = await ensureDockerd(
    { socket: DOCKER_SOCKET, logFile, path, onStep: say },
    signal,
  );
  const started = startedPid === undefined ? undefined : await startOf(startedPid);
  async function end(): Promise<void> {
    if (startedPid === undefined || started === undefined) return;
    await stopProcess({ pid: startedPid, started }, DOCKER_STOP_MS);
  }
  try {
    const search = { tools: join(tmpdir(), 'windlass-tools'), path };
    await findTool(REDIS_SERVER, search, signal);
    await findTool(DOCKER_REGISTRY, search, signal);
    const docker = connectDocker(`unix://${DOCKER_SOCKET}`);
    const images = await ensureImages(docker, SYSTEM_IMAGES, search, signal);
    for (const { image, how } of images) say(`${image}: ${how}`);
    await cleanUpLeft(say);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}
