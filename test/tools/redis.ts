import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { REDIS_SERVER } from '#adapters/debian/tool.ts';
import { startServer } from './process.ts';
import type { Running } from './process.ts';

/** A Redis of its own that keeps every write, on a socket in `folder`. */
export async function startRedis(folder: string): Promise<Running & { url: string }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'redis.sock');
  const keep = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, ...keep];
  return { ...(await startServer(REDIS_SERVER, args, { path })), url: path };
}
