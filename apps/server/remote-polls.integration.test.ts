import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProblemList } from '#core/api/problem.ts';
import { RunList } from '#core/api/run.ts';
import type { RunView } from '#core/api/run.ts';
import { makeCertificate } from '../../test/tools/certificate.ts';
import { startGitForge } from '../../test/tools/git-https.ts';
import type { GitForge } from '../../test/tools/git-https.ts';
import { startRedis } from '../../test/tools/redis.ts';
import type { Running } from '../../test/tools/process.ts';
import { startSshServer } from '../../test/tools/sshd.ts';
import type { SshServer } from '../../test/tools/sshd.ts';
import { waitUntil } from '../../test/support/windlass.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';

const LOGIN = { username: 'windlass', password: 'a token of the forge' };

/** Remotes that are looked at each second, over https and ssh with credentials; one is silent, one lacks its branch. */
describe('remotes that are polled', () => {
  let folder = '';
  let redis: Running & { url: string };
  let forge: GitForge;
  let ssh: SshServer;
  let silent: Server;
  let server: RunningServer;
  const logged: { msg: string; pipeline?: string; problem?: string }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-polls-'));
    redis = await startRedis(join(folder, 'redis'));
    const certificate = await makeCertificate(join(folder, 'tls'));
    await mkdir(join(folder, 'remotes'));
    forge = await startGitForge(join(folder, 'remotes'), certificate, LOGIN);
    ssh = await startSshServer(join(folder, 'ssh'));
    await writeFile(join(folder, 'ssh-key'), ssh.privateKey);
    silent = createServer(() => undefined).listen(0, '127.0.0.1');
    for (const name of ['shop', 'desk']) await commit(name);
    await mkdir(join(folder, 'config', 'pipelines'), { recursive: true });
    await writeFile(join(folder, 'config', 'pipelines', 'all.yaml'), declared());
    server = await startServer({
      stateDir: join(folder, 'state'),
      listen: '127.0.0.1:0',
      redisUrl: redis.url,
      config: join(folder, 'config'),
      environment: {
        PATH: ssh.path,
        GIT_SSL_CAINFO: certificate.caFile,
        FORGE_TOKEN: LOGIN.password,
        HOSTS: ssh.knownHosts,
      },
      log: pino({ level: 'info' }, { write: (line) => logged.push(JSON.parse(line)) }),
    });
  });
  afterAll(async () => {
    await server.close();
    silent.close();
    await forge.stop();
    await ssh.stop();
    await redis.stop();
    await rm(folder, { recursive: true });
  });

  function declared(): string {
    const port = (silent.address() as AddressInfo).port;
    const remotes = join(folder, 'remotes');
    const key = `sshKey: { file: ${join(folder, 'ssh-key')} }, knownHosts: { env: HOSTS }`;
    const sources = {
      silent: `url: "https://127.0.0.1:${port}/app"`,
      shop: `url: "${forge.url}/shop/.git", credentials: { password: { env: FORGE_TOKEN } }`,
      desk: `url: "ssh://root@127.0.0.1:${ssh.port}${remotes}/desk", credentials: { ${key} }`,
      refused: `url: "${forge.url}/shop/.git", credentials: { password: { env: HOSTS } }`,
      branchless: `url: "${join(remotes, 'shop')}", branches: [main, next]`,
      never: `url: "${join(remotes, 'shop')}", pollSeconds: 0`,
    };
    const pipelines = Object.entries(sources).map(
      ([name, source]) => `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${name} }
spec:
  source: { ${source}${source.includes('pollSeconds') ? '' : ', pollSeconds: 1'} }
  deploy: [{ cluster: local, manifests: deploy }]
`,
    );
    const cluster = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;
    return [cluster, ...pipelines].join('---\n');
  }

  async function git(name: string, ...args: string[]): Promise<string> {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    const cwd = join(folder, 'remotes', name);
    return (await promisify(execFile)('git', [...identity, ...args], { cwd })).stdout.trim();
  }

  async function commit(name: string): Promise<string> {
    await mkdir(join(folder, 'remotes', name), { recursive: true });
    await git(name, 'init', '--quiet', '-b', 'main');
    await git(name, 'commit', '--quiet', '--allow-empty', '-m', 'Change');
    return git(name, 'rev-parse', 'HEAD');
  }

  async function api(path: string): Promise<unknown> {
    const headers = { authorization: `Bearer ${server.adminToken}` };
    return (await fetch(`${server.url}/api/v1/${path}`, { headers })).json();
  }

  async function runsOf(name: string): Promise<RunView[]> {
    return RunList.parse(await api(`runs?pipeline=${name}`)).runs;
  }

  async function problems(): Promise<ProblemList['problems']> {
    return ProblemList.parse(await api('problems')).problems;
  }

  async function problemOf(name: string): Promise<string | undefined> {
    return (await problems()).find(({ pipeline }) => pipeline === name)?.message;
  }

  it.each(['shop', 'desk', 'branchless'])(
    'are run where they have what has no run yet, whatever others do: %s',
    async (name) => {
      const head = await git(name === 'branchless' ? 'shop' : name, 'rev-parse', 'HEAD');
      await waitUntil(async () => (await runsOf(name)).length > 0, `the first run of ${name}`);
      expect(await runsOf(name)).toMatchObject([{ commit: head, trigger: { kind: 'poll' } }]);
    },
  );

  it('are run again at what is new, once for each', async () => {
    const before = await runsOf('desk');
    const heads = { shop: await commit('shop'), desk: await commit('desk') };
    for (const [name, head] of Object.entries(heads)) {
      await waitUntil(async () => (await runsOf(name))[0]?.commit === head, `a run of ${name}`);
      expect(await runsOf(name)).toHaveLength(before.length + 1);
    }
  });

  it('are told where they cannot be looked at, and why', async () => {
    await waitUntil(async () => (await problemOf('refused')) !== undefined, 'the refusal');
    expect(await problemOf('refused')).toContain('refused the credentials');
    expect(await problemOf('branchless')).toContain('has no branch next');
    expect(await problemOf('shop')).toBeUndefined();
  });

  it('are told once in the log, however often it is tried', async () => {
    const asked = forge.asked();
    await waitUntil(async () => forge.asked() > asked + 6, 'more looks');
    expect(
      logged.filter(({ pipeline, problem }) => pipeline === 'refused' && problem),
    ).toHaveLength(1);
  });

  it('are told of no longer once they answer', async () => {
    await git('shop', 'branch', 'next');
    await waitUntil(async () => (await problemOf('branchless')) === undefined, 'its recovery');
    expect((await runsOf('branchless')).map(({ branch }) => branch)).toContain('next');
  });

  it('are left alone where that is declared', async () => {
    expect(await runsOf('never')).toEqual([]);
  });
});
