import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import type { Tool } from '#adapters/debian/tool.ts';
import { askSocket } from './ask-socket.ts';
import { keepProcess } from './kept-process.ts';
import type { KeptProcess } from './kept-process.ts';

/** The kernel's limit for the path of a socket, less its final NUL. */
const LONGEST_SOCKET_PATH = 103;

export interface RedisProcess extends KeptProcess {
  /** As `connectRedis` takes it. */
  url: string;
}

/** A Redis that keeps every write and evicts nothing, its data in `folder`, on a socket only this user can open. */
export async function startRedis(
  { folder, tool, log }: { folder: string; tool: Tool; log: Logger },
  signal: AbortSignal,
): Promise<RedisProcess> {
  const data = resolve(folder);
  const socket = socketIn(data);
  await mkdir(data, { recursive: true, mode: 0o700 });
  await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
  const options = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: data,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const kept = await keepProcess(
    {
      name: 'redis',
      tool,
      args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
      cwd: data,
      pidFile: join(data, 'redis.pid'),
      logFile: join(data, 'redis.log'),
      settings: '',
      isReady: async () =>
        (await askSocket({ path: socket }, 'PING\r\n'))?.startsWith('+PONG') === true,
      log,
    },
    signal,
  );
  return Object.assign(kept, { url: socket });
}

function socketIn(data: string): string {
  const path = join(data, 'redis.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path;
  const name = createHash('sha256').update(data).digest('hex').slice(0, 12);
  return join(tmpdir(), `windlass-redis-${name}`, 'redis.sock');
}
