import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '#core/secret.ts';
import { makeCertificate } from '../../test/tools/certificate.ts';
import { startGitForge } from '../../test/tools/git-https.ts';
import type { GitForge } from '../../test/tools/git-https.ts';
import { startSshServer } from '../../test/tools/sshd.ts';
import type { SshServer } from '../../test/tools/sshd.ts';
import type { GitCredentials } from './credentials.ts';
import { createMirrors } from './mirror.ts';
import type { CheckedOut } from './mirror.ts';

type Machine = Record<string, string | undefined>;

async function createSource(source: string): Promise<string> {
  await mkdir(source);
  await writeFile(join(source, 'file'), 'one');
  const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
  for (const args of [
    ['init', '--quiet', '-b', 'main'],
    ['add', '.'],
    [...identity, 'commit', '--quiet', '-m', 'say one'],
  ])
    execFileSync('git', args, { cwd: source });
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: source, encoding: 'utf8' }).trim();
}

describe('a source over ssh', () => {
  let folder = '';
  let server: SshServer;
  let head = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-ssh-test-'));
    server = await startSshServer(join(folder, 'sshd'));
    head = await createSource(join(folder, 'source'));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  function checkout(
    name: string,
    credentials: Partial<Extract<GitCredentials, { kind: 'ssh' }>> = {},
    port = server.port,
  ): Promise<CheckedOut> {
    const mirrors = createMirrors(join(folder, name), { PATH: server.path });
    return mirrors.checkout(
      {
        url: `ssh://root@127.0.0.1:${port}${folder}/source`,
        credentials: {
          kind: 'ssh',
          key: new Secret(server.privateKey),
          knownHosts: new Secret(server.knownHosts),
          ...credentials,
        },
        ref: 'refs/heads/main',
        commit: head,
        into: join(folder, `${name}-checkout`),
      },
      () => undefined,
      AbortSignal.timeout(60_000),
    );
  }

  it('is checked out with its key and its host key', async () => {
    expect(await checkout('good')).toMatchObject({ commit: head, moved: false });
    expect(await readFile(join(folder, 'good-checkout', 'file'), 'utf8')).toBe('one');
  });

  it('is refused where the host shows another key than the one that is known', async () => {
    const other = (await readFile(join(folder, 'sshd', 'user.pub'), 'utf8')).split(' ')[1] ?? '';
    const knownHosts = new Secret(server.knownHosts.replace(/\S+\n$/, `${other}\n`));
    const failing = checkout('other-host', { knownHosts });
    await expect(failing).rejects.toMatchObject({
      transient: false,
      message: expect.stringContaining('shows another host key than the known one'),
    });
  });

  it('is refused where no host key is known', async () => {
    const failing = checkout('unknown-host', { knownHosts: new Secret('# none yet') });
    await expect(failing).rejects.toMatchObject({
      transient: false,
      message: expect.stringMatching(/^the host key of .* is not known$/),
      hint: expect.stringContaining('source.credentials.knownHosts'),
    });
  });

  it('is refused where the key may not log in', async () => {
    const host = await readFile(join(folder, 'sshd', 'host'), 'utf8');
    const failing = checkout('other-key', { key: new Secret(host) });
    await expect(failing).rejects.toMatchObject({ transient: false });
    await expect(failing).rejects.toThrow(/permission denied|access/i);
  });

  it('says that a key is none', async () => {
    await expect(checkout('no-key', { key: new Secret('none') })).rejects.toMatchObject({
      transient: false,
      message: expect.stringMatching(/^the key for .* cannot be read/),
    });
  });

  it('is waited for where nobody listens', async () => {
    const knownHosts = new Secret(server.knownHosts.replace(`:${server.port}`, ':1'));
    await expect(checkout('nobody', { knownHosts }, 1)).rejects.toMatchObject({ transient: true });
  });
});

describe('a source over https with a login', () => {
  const login = { username: 'windlass', password: 'a token of the forge' };
  let folder = '';
  let forge: GitForge;
  let caFile = '';
  let head = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-https-test-'));
    const certificate = await makeCertificate(join(folder, 'tls'));
    ({ caFile } = certificate);
    head = await createSource(join(folder, 'source'));
    forge = await startGitForge(folder, certificate, login);
  });
  afterAll(async () => {
    await forge.stop();
    await rm(folder, { recursive: true });
  });

  function checkout(
    name: string,
    { password = login.password, machine = { GIT_SSL_CAINFO: caFile } as Machine } = {},
  ): Promise<CheckedOut> {
    const mirrors = createMirrors(join(folder, name), { PATH: process.env['PATH'], ...machine });
    return mirrors.checkout(
      {
        url: `${forge.url}/source/.git`,
        credentials: {
          kind: 'password',
          username: login.username,
          password: new Secret(password),
        },
        ref: 'refs/heads/main',
        commit: head,
        into: join(folder, `${name}-checkout`),
      },
      () => undefined,
      AbortSignal.timeout(60_000),
    );
  }

  it('is checked out where its authority is named', async () => {
    expect(await checkout('good')).toMatchObject({ commit: head, moved: false });
    expect(await readFile(join(folder, 'good-checkout', 'file'), 'utf8')).toBe('one');
  });

  it('is not asked again with a token that it refuses', async () => {
    const before = forge.asked();
    const failing = checkout('other-token', { password: 'wrong' });
    await expect(failing).rejects.toMatchObject({
      code: 'unauthorized',
      transient: false,
      message: expect.stringContaining('refused the credentials'),
    });
    await expect(failing).rejects.not.toThrow(/wrong|d3Jvbmc/);
    expect(forge.asked() - before).toBeLessThanOrEqual(2);
  });

  it('is refused where nobody knows its authority', async () => {
    await expect(checkout('no-authority', { machine: {} })).rejects.toMatchObject({
      transient: false,
      message: expect.stringMatching(/certificate/i),
      hint: expect.stringContaining('GIT_SSL_CAINFO'),
    });
  });

  it('is refused where the file of its authority is not there', async () => {
    const machine = { GIT_SSL_CAINFO: join(folder, 'none.crt') };
    await expect(checkout('no-file', { machine })).rejects.toMatchObject({
      transient: false,
      message: expect.stringMatching(/SSL CA cert|none\.crt/),
      hint: expect.stringContaining('GIT_SSL_CAINFO'),
    });
  });
});
