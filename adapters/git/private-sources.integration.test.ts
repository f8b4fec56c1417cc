import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '#core/secret.ts';
import { startSshServer } from '../../test/tools/sshd.ts';
import type { SshServer } from '../../test/tools/sshd.ts';
import type { GitCredentials } from './credentials.ts';
import { createMirrors } from './mirror.ts';
import type { CheckedOut } from './mirror.ts';

describe('a source over ssh', () => {
  let folder = '';
  let server: SshServer;
  let head = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-ssh-test-'));
    server = await startSshServer(join(folder, 'sshd'));
    const source = join(folder, 'source');
    await mkdir(source);
    await writeFile(join(source, 'file'), 'one');
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    for (const args of [
      ['init', '--quiet', '-b', 'main'],
      ['add', '.'],
      [...identity, 'commit', '--quiet', '-m', 'say one'],
    ])
      execFileSync('git', args, { cwd: source });
    head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: source, encoding: 'utf8' }).trim();
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
    const own = server.knownHosts.split(' ')[2] ?? '';
    const other = `${own.slice(0, -12)}${own.slice(-12).split('').toReversed().join('')}`;
    const knownHosts = new Secret(server.knownHosts.replace(own, other));
    const failing = checkout('other-host', { knownHosts });
    await expect(failing).rejects.toMatchObject({ transient: false });
    await expect(failing).rejects.toThrow(/host key/i);
  });

  it('is refused where the key may not log in', async () => {
    const host = await readFile(join(folder, 'sshd', 'host'), 'utf8');
    const failing = checkout('other-key', { key: new Secret(host) });
    await expect(failing).rejects.toMatchObject({ transient: false });
    await expect(failing).rejects.toThrow(/permission denied|access/i);
  });

  it('is waited for where nobody listens', async () => {
    const knownHosts = new Secret(server.knownHosts.replace(`:${server.port}`, ':1'));
    await expect(checkout('nobody', { knownHosts }, 1)).rejects.toMatchObject({ transient: true });
  });
});
