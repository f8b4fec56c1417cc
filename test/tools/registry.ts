import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DOCKER_REGISTRY } from '#adapters/debian/tool.ts';
import { startServer } from './process.ts';
import type { Running } from './process.ts';

/** An image registry of its own on 127.0.0.1, its data in `folder`. */
export async function startRegistry(
  folder: string,
  port?: number,
): Promise<Running & { host: string; port: number }> {
  await mkdir(folder, { recursive: true });
  const used = port ?? (await freePort());
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${join(folder, 'data')} }, delete: { enabled: true } }
http: { addr: "127.0.0.1:${used}" }
`,
  );
  const address = { host: '127.0.0.1', port: used };
  const running = await startServer(DOCKER_REGISTRY, ['serve', config], address);
  return { ...running, host: `127.0.0.1:${used}`, port: used };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
