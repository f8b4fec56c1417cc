import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DOCKER_REGISTRY } from '#adapters/debian/tool.ts';
import { freePort, startServer } from './process.ts';
import type { Running } from './process.ts';

/** An image registry of its own on 127.0.0.1, its data in `folder`; with `htpasswd`, only those in it are let in. */
export async function startRegistry(
  folder: string,
  port?: number,
  htpasswd?: string,
): Promise<Running & { host: string; port: number }> {
  await mkdir(folder, { recursive: true });
  const used = port ?? (await freePort());
  const config = join(folder, 'config.yml');
  const users = join(folder, 'htpasswd');
  if (htpasswd !== undefined) await writeFile(users, htpasswd);
  const auth = `auth: { htpasswd: { realm: test, path: ${users} } }\n`;
  await writeFile(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${join(folder, 'data')} }, delete: { enabled: true } }
http: { addr: "127.0.0.1:${used}" }
${htpasswd === undefined ? '' : auth}`,
  );
  const address = { host: '127.0.0.1', port: used };
  const running = await startServer(DOCKER_REGISTRY, ['serve', config], address);
  return { ...running, host: `127.0.0.1:${used}`, port: used };
}
