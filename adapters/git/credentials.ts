import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Secret } from '#core/secret.ts';
import type { ConfigPair, Environment } from './environment.ts';

/** How to read a private remote, secrets resolved. */
export type GitCredentials =
  | { kind: 'password'; username: string; password: Secret }
  | { kind: 'ssh'; key: Secret; knownHosts: Secret };

export interface Access {
  config: readonly ConfigPair[];
  environment: Environment;
}

const SSH_OPTIONS = [
  'BatchMode=yes',
  'StrictHostKeyChecking=yes',
  'ConnectTimeout=20',
  'ServerAliveInterval=15',
  'ServerAliveCountMax=3',
];

/** Makes the credentials usable while `use` runs: a header only git's environment shows, or files only we may read. */
export async function withAccess<T>(
  url: string,
  credentials: GitCredentials | undefined,
  use: (access: Access) => Promise<T>,
): Promise<T> {
  if (credentials?.kind === 'password') {
    return use({ config: headerFor(url, credentials), environment: sshCommand([]) });
  }
  if (credentials === undefined) return use({ config: [], environment: sshCommand([]) });
  const folder = await mkdtemp(join(tmpdir(), 'windlass-ssh-'));
  try {
    await chmod(folder, 0o700);
    return await use({ config: [], environment: await sshFiles(folder, credentials) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Redirects are not followed with a header: it would go to wherever they lead. */
function headerFor(
  url: string,
  { username, password }: { username: string; password: Secret },
): ConfigPair[] {
  const token = Buffer.from(`${username}:${password.reveal()}`).toString('base64');
  return [
    [`http.${withoutUser(url)}.extraHeader`, `Authorization: Basic ${token}`],
    ['http.followRedirects', 'false'],
  ];
}

function withoutUser(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/, '$1');
}

async function sshFiles(
  folder: string,
  { key, knownHosts }: { key: Secret; knownHosts: Secret },
): Promise<Environment> {
  const keyFile = join(folder, 'key');
  const hostsFile = join(folder, 'known_hosts');
  await writeFile(keyFile, `${key.reveal().trimEnd()}\n`, { mode: 0o600 });
  await writeFile(hostsFile, `${knownHosts.reveal().trimEnd()}\n`, { mode: 0o600 });
  return sshCommand([
    '-F',
    '/dev/null',
    '-i',
    keyFile,
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    `UserKnownHostsFile=${hostsFile}`,
  ]);
}

/** git gives this to a shell; all of it is our own text and paths without blanks. */
function sshCommand(options: readonly string[]): Environment {
  const all = [...options, ...SSH_OPTIONS.flatMap((option) => ['-o', option])];
  return { GIT_SSH_COMMAND: ['ssh', ...all].join(' '), GIT_SSH_VARIANT: 'ssh' };
}
