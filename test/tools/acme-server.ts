import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolSpec } from '#adapters/debian/tool.ts';
import { freePort, startServer } from './process.ts';
import type { Running } from './process.ts';

const CADDY: ToolSpec = {
  program: 'caddy',
  packages: ['caddy'],
  file: 'usr/bin/caddy',
  install: 'install Caddy',
};

/** An ACME server, which Caddy is too. */
export interface AcmeServer extends Running {
  /** URL of its directory. */
  directory: string;
  /** PEM: of the certificates that it gives, and of its own. */
  root: string;
}

/**
 * Starts it with keys of its own in `folder`, which another start goes on with. To see whose hosts are it asks port 80 of the
 * addresses in `hosts`.
 */
export async function startAcmeServer(
  folder: string,
  hosts: Readonly<Record<string, string>>,
  port?: number,
): Promise<AcmeServer> {
  await mkdir(folder, { recursive: true });
  const at = port ?? (await freePort());
  const config = join(folder, 'Caddyfile');
  await writeFile(
    config,
    `{
  admin off
  auto_https disable_redirects
  skip_install_trust
  storage file_system ${folder}/storage
}
https://localhost:${at} {
  tls internal
  acme_server
}
`,
  );
  const names = Object.entries(hosts).map(([host, address]) => `${address} ${host}\n`);
  await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${names.join('')}`);
  // In a mount namespace of its own, where names are what the test says.
  const script = `mount --bind '${join(folder, 'hosts')}' /etc/hosts && exec "$@"`;
  const running = await startServer(
    CADDY,
    ['run', '--adapter', 'caddyfile', '--config', config],
    { host: '127.0.0.1', port: at },
    ['unshare', '--mount', 'sh', '-c', script, 'sh'],
  );
  return {
    ...running,
    directory: `https://localhost:${at}/acme/local/directory`,
    root: await readFile(join(folder, 'storage/pki/authorities/local/root.crt'), 'utf8'),
  };
}
