import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { AnyAuthMethod } from 'ssh2';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Server } from '#core/declarations/cluster-server.ts';
import { messageOf, UserError } from '#core/errors.ts';

const KEY_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
const SYSTEM_KNOWN_HOSTS = '/etc/ssh/ssh_known_hosts';

/** What the user whom Windlass runs as has for ssh. */
export interface SshUser {
  /** `~/.ssh` */
  folder: string;
  /** Socket of the ssh agent. */
  agent?: string;
}

export interface SshLogin {
  /** In the order in which they are tried. */
  methods: AnyAuthMethod[];
  knownHosts: string;
}

/** Reads anew what is declared, or what the user has: a key that was exchanged counts from the next connection. */
export async function readSshLogin(
  username: string,
  declared: Server['ssh'],
  user: SshUser,
  readSecret: ReadSecret,
): Promise<SshLogin> {
  const knownHosts =
    declared?.knownHosts === undefined
      ? await userKnownHosts(user)
      : (await readSecret(declared.knownHosts)).reveal();
  if (declared?.key === undefined)
    return { methods: await userMethods(username, user), knownHosts };
  const key = (await readSecret(declared.key)).reveal();
  const problem = problemOf(key);
  if (problem === undefined) return { methods: [{ type: 'publickey', username, key }], knownHosts };
  throw new UserError('invalid-input', `the ssh key cannot be used: ${problem}`, {
    hint: "the server's ssh.key must name a whole private key, without a passphrase",
  });
}

/** A key with a passphrase is the agent's business. */
async function userMethods(username: string, { folder, agent }: SshUser): Promise<AnyAuthMethod[]> {
  const methods: AnyAuthMethod[] = agent === undefined ? [] : [{ type: 'agent', username, agent }];
  for (const name of KEY_FILES) {
    const key = await textOf(join(folder, name));
    if (key !== '' && problemOf(key) === undefined)
      methods.push({ type: 'publickey', username, key });
  }
  if (methods.length > 0) return methods;
  throw new UserError('unauthorized', `there is nothing to log in with for ssh`, {
    hint: `name a key in the server's ssh.key, set SSH_AUTH_SOCK, or put one without a passphrase into ${folder}`,
  });
}

async function userKnownHosts({ folder }: SshUser): Promise<string> {
  const texts = await Promise.all([join(folder, 'known_hosts'), SYSTEM_KNOWN_HOSTS].map(textOf));
  return texts.join('\n');
}

/** Empty where there is no such file. */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw new UserError('invalid-input', `${file} cannot be read: ${messageOf(error)}`);
  }
}

function problemOf(key: string): string | undefined {
  const parsed = ssh2.utils.parseKey(`${key.trimEnd()}\n`);
  return parsed instanceof Error ? parsed.message : undefined;
}
