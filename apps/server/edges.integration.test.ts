import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ConfigView } from '#core/api/pipeline.ts';
import { RunList } from '#core/api/run.ts';
import type { RunView } from '#core/api/run.ts';
import { createRepository } from '../../test/support/repository.ts';
import type { GitResult, Repository } from '../../test/support/repository.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { startServer } from './server.ts';
import type { RunningServer, ServerOptions } from './server.ts';

/** Of 127.0.0.1, signed by itself. */
const CERTIFICATE = resolve('test/fixtures/tls');

const CLUSTER = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;

const BoardQueues = z.object({
  queues: z.array(z.object({ name: z.string(), readOnlyMode: z.boolean() })),
});

let folder: string;
let redis: Running & { url: string };
const open: RunningServer[] = [];
const repositories: Repository[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-edges-'));
  redis = await startRedis(join(folder, 'redis'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});
afterAll(async () => {
  await Promise.all(repositories.map((each) => each.remove()));
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Options of a server that knows pipelines of these names, each with its own state. */
async function optionsFor(names: readonly string[]): Promise<ServerOptions & { file: string }> {
  const state = join(folder, randomBytes(4).toString('hex'));
  const file = join(state, 'config', 'pipelines', 'all.yaml');
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, [CLUSTER, ...names.map(pipeline)].join('---\n'));
  return {
    stateDir: state,
    listen: '127.0.0.1:0',
    redisUrl: redis.url,
    config: join(state, 'config'),
    environment: { PATH: process.env['PATH'] },
    log: pino({ level: 'silent' }),
    file,
  };
}

function pipeline(name: string): string {
  return `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: ${name} }
spec: { deploy: [{ cluster: local, manifests: deploy }] }
`;
}

async function start(options: ServerOptions): Promise<RunningServer> {
  const server = await startServer(options);
  open.push(server);
  return server;
}

async function developer(files: Record<string, string> = { 'a.txt': 'a' }): Promise<Repository> {
  const made = await createRepository();
  repositories.push(made);
  await made.commit(files);
  return made;
}

function remote(server: RunningServer, name: string): string {
  return `${server.url.replace('://', `://x:${server.adminToken}@`)}/git/${name}.git`;
}

function push(
  from: Repository,
  server: RunningServer,
  name: string,
  ...more: string[]
): Promise<GitResult> {
  return from.git('push', ...more, remote(server, name), 'main');
}

async function get(server: RunningServer, path: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${server.adminToken}` };
  return (await fetch(`${server.url}/api/v1/${path}`, { headers })).json();
}

async function runsOf(server: RunningServer, name: string): Promise<RunView[]> {
  return RunList.parse(await get(server, `runs?pipeline=${name}`)).runs;
}

async function oneRun(server: RunningServer, name: string): Promise<RunView> {
  return vi.waitFor(
    async () => {
      const [run] = await runsOf(server, name);
      if (run === undefined) throw new Error('there is no run yet');
      return run;
    },
    { timeout: 10_000 },
  );
}

describe('a push', () => {
  it('returns at once with the address of its run when it is not to wait', async () => {
    const server = await start(await optionsFor(['swift']));
    const { code, output } = await push(await developer(), server, 'swift', '-o', 'nowait');
    const run = await oneRun(server, 'swift');
    expect(code).toBe(0);
    expect(output).toContain(`${server.url}/api/v1/runs/${run.id}`);
    expect(output).not.toContain(server.adminToken.slice(8));
  });

  it('that is interrupted leaves its run going on', async () => {
    const server = await start(await optionsFor(['left']));
    const { folder: cwd } = await developer();
    const child = spawn('git', ['push', remote(server, 'left'), 'main'], { cwd, stdio: 'ignore' });
    const { id } = await oneRun(server, 'left');
    child.kill('SIGINT');
    await once(child, 'close');
    expect(await runsOf(server, 'left')).toMatchObject([{ id, state: 'queued' }]);
  });

  it('that waits is told when the server stops, and has been stored', async () => {
    const options = await optionsFor(['stopped']);
    const server = await start(options);
    const from = await developer();
    const pushing = push(from, server, 'stopped');
    const { id } = await oneRun(server, 'stopped');
    await server.close();
    const { code, output } = await pushing;
    expect(output).toContain('the server stops; what was pushed is stored');
    expect(code).toBe(0);
    expect((await runsOf(await start(options), 'stopped')).map((run) => run.id)).toEqual([id]);
  });

  it('larger than allowed is refused', async () => {
    const server = await start({ ...(await optionsFor(['large'])), maxPackBytes: 100_000 });
    const from = await developer({ 'a.bin': randomBytes(150_000).toString('hex') });
    const { code, output } = await push(from, server, 'large');
    expect(code).not.toBe(0);
    expect(output).toMatch(/exceeds maximum allowed size|unpack/);
    expect(await runsOf(server, 'large')).toEqual([]);
  });

  it('does not hold up another one', async () => {
    const names = ['one', 'two', 'three', 'four'];
    const server = await start(await optionsFor(names));
    const pushed = await Promise.all(
      names.map(async (name) => push(await developer(), server, name, '-o', 'nowait')),
    );
    expect(pushed.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    for (const name of names) expect(await runsOf(server, name)).toHaveLength(1);
  });

  it('with force starts a run for the commit it went back to', async () => {
    const server = await start(await optionsFor(['back']));
    const from = await developer();
    const first = (await from.git('rev-parse', 'HEAD')).output.trim();
    await from.commit({ 'a.txt': 'b' });
    await push(from, server, 'back', '-o', 'nowait');
    await from.git('reset', '--quiet', '--hard', first);
    expect((await push(from, server, 'back', '-o', 'nowait', '--force')).code).toBe(0);
    expect(await runsOf(server, 'back')).toMatchObject([
      { commit: first, state: 'queued' },
      { state: 'superseded' },
    ]);
  });

  it('may delete the branch that is deployed', async () => {
    const server = await start(await optionsFor(['gone']));
    const from = await developer();
    await push(from, server, 'gone', '-o', 'nowait');
    const { code, output } = await from.git('push', remote(server, 'gone'), ':main');
    expect(output).toContain('refs/heads/main is deleted; what it deployed keeps running');
    expect(code).toBe(0);
  });
});

describe('the configuration', () => {
  it('on the server keeps its history', async () => {
    const server = await start({ ...(await optionsFor([])), config: '/git/config.git' });
    const from = await developer({ 'pipelines/all.yaml': CLUSTER });
    expect((await push(from, server, 'config')).code).toBe(0);
    await from.git('commit', '--quiet', '--amend', '-m', 'Again');
    const { code, output } = await push(from, server, 'config', '--force');
    expect(code).not.toBe(0);
    expect(output).toContain('commits that this push would drop');
    expect((await from.git('push', remote(server, 'config'), ':main')).output).toContain(
      'cannot be deleted',
    );
  });

  it('in a folder must be valid at the start, and its last valid state stays in force', async () => {
    const options = await optionsFor(['kept']);
    const good = [CLUSTER, pipeline('kept')].join('---\n');
    await writeFile(options.file, `${good}wrong: 1\n`);
    await expect(startServer(options)).rejects.toThrow('all.yaml:10:1: ');
    await writeFile(options.file, good);
    const server = await start(options);
    await writeFile(options.file, `${good}wrong: 1\n`);
    async function problems(): Promise<string[]> {
      const view = ConfigView.parse(await get(server, 'config'));
      expect(view.pipelines).toEqual(['kept']);
      return view.problems;
    }
    await vi.waitFor(async () => expect(await problems()).toHaveLength(1), { timeout: 10_000 });
    await writeFile(options.file, good);
    await vi.waitFor(async () => expect(await problems()).toEqual([]), { timeout: 10_000 });
  });
});

describe('the board of queues', () => {
  function ask(server: RunningServer, path: string, token?: string): Promise<Response> {
    const password = Buffer.from(`me:${token}`).toString('base64');
    const headers = token === undefined ? {} : { authorization: `Basic ${password}` };
    return fetch(`${server.url}/queues${path}`, { headers });
  }

  it('asks a browser for the token, and shows every queue', async () => {
    const server = await start(await optionsFor(['board']));
    const refused = await ask(server, '/');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic/);
    expect((await ask(server, '/', 'wrong')).status).toBe(401);
    const page = await ask(server, '/', server.adminToken);
    expect(page.headers.get('content-type')).toContain('text/html');
    const { queues } = BoardQueues.parse(
      await (await ask(server, '/api/queues', server.adminToken)).json(),
    );
    expect(queues).toEqual([
      { name: 'build', readOnlyMode: true },
      { name: 'cluster-local', readOnlyMode: true },
    ]);
  });

  it('is to look at only', async () => {
    const server = await start(await optionsFor(['board']));
    const authorization = `Bearer ${server.adminToken}`;
    const answer = await fetch(`${server.url}/queues/api/queues/build/pause`, {
      method: 'PUT',
      headers: { authorization },
    });
    expect(answer.status).toBe(405);
  });
});

describe('a start', () => {
  it.each(['0.0.0.0:0', '[::]:0', 'example.com:80'])(
    'refuses to listen on %s in clear',
    async (listen) => {
      const options = await optionsFor([]);
      await expect(startServer({ ...options, listen })).rejects.toThrow('tokens in clear');
    },
  );

  it('listens there behind a proxy', async () => {
    const options = await optionsFor([]);
    const server = await start({ ...options, listen: '0.0.0.0:0', behindProxy: true });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  it('serves its API and git over TLS', async () => {
    const tls = {
      cert: await readFile(join(CERTIFICATE, 'cert.pem'), 'utf8'),
      key: await readFile(join(CERTIFICATE, 'key.pem'), 'utf8'),
    };
    const server = await start({ ...(await optionsFor(['safe'])), tls });
    expect(server.url).toMatch(/^https:/);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow('fetch failed');
    const from = await developer();
    await from.git('config', 'http.sslCAInfo', join(CERTIFICATE, 'cert.pem'));
    const { code, output } = await push(from, server, 'safe', '-o', 'nowait');
    expect(output).toContain('is queued: https://');
    expect(code).toBe(0);
  });

  it('refuses a state folder that is in use, and gives it back', async () => {
    const options = await optionsFor([]);
    const server = await start(options);
    await expect(startServer(options)).rejects.toThrow(`process ${process.pid}`);
    await server.close();
    await start(options);
  });
});

it('a server ends though its Redis is gone', async () => {
  const own = await startRedis(join(folder, 'gone'));
  const options = { ...(await optionsFor(['gone'])), redisUrl: own.url };
  const server = await startServer(options);
  const waiting = fetch(`${server.url}/readyz`);
  await own.stop('SIGKILL');
  await server.close();
  await waiting.catch(() => undefined);
  // Its lock on the state folder is gone with it.
  const next = await start({ ...options, redisUrl: redis.url });
  expect((await fetch(`${next.url}/readyz`)).status).toBe(200);
});
