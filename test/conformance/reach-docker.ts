import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { connectServer } from '#adapters/docker/connect-server.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { startSshServer } from '../tools/sshd.ts';

/** How the engine reaches this machine's Docker. */
export interface Reached {
  address: string;
  docker: Docker;
  close: () => Promise<void>;
}

/**
 * By its socket; with `ssh`, by an ssh server that is started for it; or by an address with tcp://, for which `ca.pem`,
 * `cert.pem` and `key.pem` are in a folder.
 */
export async function reachDocker(how: string, certificates: string): Promise<Reached> {
  if (how === 'ssh') return overSsh();
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => ({
    file: join(certificates, `${name}.pem`),
  }));
  const tls = ca && cert && key && how.startsWith('tcp://') ? { tls: { ca, cert, key } } : {};
  const { docker, close } = connectServer(
    { docker: how, ...tls },
    { user: { folder: '' }, readSecret: createSecretReader({}) },
  );
  return {
    address: how,
    docker,
    close() {
      close();
      return Promise.resolve();
    },
  };
}

async function overSsh(): Promise<Reached> {
  const folder = await mkdtemp(join(tmpdir(), 'windlass-conformance-'));
  const sshd = await startSshServer(folder);
  const address = `ssh://root@127.0.0.1:${sshd.port}`;
  const { docker, close } = connectServer(
    { docker: address, ssh: { key: { env: 'KEY' }, knownHosts: { env: 'HOSTS' } } },
    {
      user: { folder },
      readSecret: createSecretReader({ KEY: sshd.privateKey, HOSTS: sshd.knownHosts }),
    },
  );
  return {
    address,
    docker,
    async close() {
      close();
      await sshd.stop();
      await rm(folder, { recursive: true });
    },
  };
}
