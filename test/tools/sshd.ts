import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool } from '#adapters/debian/tool.ts';
import type { ToolSearch, ToolSpec } from '#adapters/debian/tool.ts';
import { freePort, startServer } from './process.ts';
import type { Running } from './process.ts';

const SSH_PORT = 22;
const PACKAGES = ['openssh-server', 'openssh-client'];
const SSHD: ToolSpec = {
  program: 'sshd',
  packages: PACKAGES,
  file: 'usr/sbin/sshd',
  install: 'install openssh-server',
};

/** An OpenSSH server that lets `root` in by one key. */
export interface SshServer extends Running, SshFiles {
  port: number;
}

interface SshFiles {
  /** What may log in. */
  privateKey: string;
  /** The file it is in. */
  keyFile: string;
  /** A line of `known_hosts`. */
  knownHosts: string;
  /** A PATH on which `ssh` and its agent are found. */
  path: string;
}

/** Starts it with keys, users and configuration of its own in `folder`; nothing of the machine is read or changed. */
export async function startSshServer(
  folder: string,
  configuration: readonly string[] = [],
): Promise<SshServer> {
  const address = { host: '127.0.0.1', port: await freePort() };
  const { args, wrapper, ...files } = await prepareSshServer(folder, address, configuration);
  const running = await startServer(SSHD, args, address, wrapper);
  return { ...running, ...files, port: address.port };
}

/** The command of one that anyone may start; it ends when it is told to. */
export async function makeSshServer(
  folder: string,
  address: { host: string; port: number },
): Promise<SshFiles & { command: readonly string[] }> {
  const { args, wrapper, ...files } = await prepareSshServer(folder, address, []);
  const tool = await findTool(SSHD, search(), AbortSignal.timeout(120_000));
  return { ...files, command: [...wrapper, tool.command, ...tool.args, ...args] };
}

async function prepareSshServer(
  folder: string,
  { host, port }: { host: string; port: number },
  configuration: readonly string[],
): Promise<SshFiles & { args: readonly string[]; wrapper: readonly string[] }> {
  await mkdir(folder, { recursive: true });
  const bin = await installClient(folder);
  const path = `${bin}:${process.env['PATH'] ?? ''}`;
  for (const name of ['host', 'user']) {
    const args = ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(folder, name)];
    await promisify(execFile)(join(bin, 'ssh-keygen'), args);
  }
  const publicKey = await readFile(join(folder, 'user.pub'), 'utf8');
  await writeFile(join(folder, 'authorized_keys'), publicKey);
  await writeFile(
    join(folder, 'passwd'),
    `root:x:0:0:root:${folder}:/bin/sh\nsshd:x:33:33:sshd:/run/sshd:/bin/false\n`,
  );
  const config = join(folder, 'sshd_config');
  await writeFile(
    config,
    [
      `ListenAddress ${host}`,
      `Port ${port}`,
      `HostKey ${join(folder, 'host')}`,
      `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      'PasswordAuthentication no',
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      ...configuration,
      '',
    ].join('\n'),
  );
  // In a mount namespace of its own, since it looks its user up in /etc/passwd, wherever that says its files are.
  const script = `mount --bind '${join(folder, 'passwd')}' /etc/passwd && mkdir -p /run/sshd && exec "$@"`;
  const [type, key] = (await readFile(join(folder, 'host.pub'), 'utf8')).split(' ');
  return {
    args: ['-D', '-r', '-f', config],
    wrapper: ['unshare', '--mount', 'sh', '-c', script, 'sh'],
    path,
    keyFile: join(folder, 'user'),
    privateKey: await readFile(join(folder, 'user'), 'utf8'),
    knownHosts: `${port === SSH_PORT ? host : `[${host}]:${port}`} ${type} ${key}\n`,
  };
}

/** What a client has, in a folder for the PATH. */
async function installClient(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const program of ['ssh', 'ssh-keygen', 'ssh-agent', 'ssh-add']) {
    const spec = { program, packages: PACKAGES, file: `usr/bin/${program}`, install: '' };
    const { command, args } = await findTool(spec, search(), AbortSignal.timeout(120_000));
    const words = [command, ...args].map((word) => `'${word}'`).join(' ');
    await writeFile(join(bin, program), `#!/bin/sh\nexec ${words} "$@"\n`);
    await chmod(join(bin, program), 0o755);
  }
  return bin;
}

function search(): ToolSearch {
  return { tools: join(tmpdir(), 'windlass-test-tools'), path: process.env['PATH'] ?? '' };
}
