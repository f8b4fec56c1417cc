import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTool } from './debian-tool.ts';
import { startServer } from './process.ts';
import type { Running } from './process.ts';

const PACKAGES = [
  'redis-server',
  'redis-tools',
  'liblzf1',
  'libjemalloc2',
  'libhiredis0.14',
  'liblua5.1-0',
  'lua-cjson',
  'lua-bitop',
];

/** A Redis of its own that keeps every write, on a socket in `folder`. */
export async function startRedis(folder: string): Promise<Running & { url: string }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'redis.sock');
  const keep = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, ...keep];
  const tool = await debianTool('redis-server', PACKAGES);
  return { ...(await startServer(tool, args, { path })), url: path };
}
