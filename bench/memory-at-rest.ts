import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanUp } from '../test/support/installation.ts';
import { waitUntil } from '../test/support/windlass.ts';
import { freePort } from '../test/tools/process.ts';
import { startRedis } from '../test/tools/redis.ts';
import { startRegistry } from '../test/tools/registry.ts';
import { childrenOf, memoryOf, processesWith, residentMemoryOf } from './memory.ts';
import type { Figure } from './figure.ts';

const LIMIT_MB = 200;
const REST_MS = 60_000;

/** `npm start` with the example deployed and nothing to do, beside the same Redis and registry and a Node without a program. */
export async function memoryAtRest(): Promise<Figure> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-rest-'));
  const listen = `127.0.0.1:${await freePort()}`;
  try {
    // The first start deploys the example, which the ones after it find.
    await stop(await start(folder, listen));
    const started = await start(folder, listen);
    const bare = await startBare(join(folder, 'bare'));
    await sleep(REST_MS);
    // What runs with a file of the state folder: the program, its Redis and its registry.
    const own = await processesWith(join(folder, 'state'));
    const ours = await memoryOf(own);
    const resident = Math.round(await residentMemoryOf(own));
    const peer = await memoryOf(bare.pids);
    await bare.stop();
    await stop(started);
    const [megabytes, beside] = [Math.round(ours), Math.round(peer)];
    return {
      name: 'memory-at-rest',
      ours: megabytes,
      peer: beside,
      ratio: megabytes / beside,
      target: LIMIT_MB / beside,
      met: megabytes <= LIMIT_MB,
      how: `megabytes (PSS) of the ${own.length} processes of \`npm start\`, ${REST_MS / 1_000} s after a start that found the example deployed, beside redis-server, docker-registry and a Node without a program; the target is ${LIMIT_MB} MB; ${resident} MB where what they share with others is counted to them whole (RSS)`,
    };
  } finally {
    const installation = await readFile(join(folder, 'state', 'installation'), 'utf8');
    await cleanUp(installation.trim());
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(folder: string, listen: string): Promise<ChildProcess> {
  const args = ['start', '--state', join(folder, 'state'), '--listen', listen];
  const child = spawn(process.execPath, ['apps/cli/windlass.mjs', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
  await waitUntil(async () => told.includes('Windlass is up'), 'the start', 180_000);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}

async function startBare(
  folder: string,
): Promise<{ pids: readonly number[]; stop: () => Promise<void> }> {
  const before = new Set(await childrenOf(process.pid));
  const redis = await startRedis(join(folder, 'redis'));
  const registry = await startRegistry(join(folder, 'registry'));
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  const pids = (await childrenOf(process.pid)).filter((pid) => !before.has(pid));
  return {
    pids,
    stop: async () => {
      node.kill();
      await Promise.all([redis.stop(), registry.stop()]);
    },
  };
}
