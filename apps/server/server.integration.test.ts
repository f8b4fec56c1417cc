import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRunKeeping } from '#adapters/store/run-keeping.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createServerApi } from '#adapters/server-api/client.ts';
import { ConfigView, PipelineList } from '#core/api/pipeline.ts';
import { ReleaseList } from '#core/api/release.ts';
import { RunList, RunLogEvent, RunView } from '#core/api/run.ts';
import type { ServerApi } from '#core/ports.ts';
import { Secret } from '#core/secret.ts';
import { startRedis } from '../../test/tools/redis.ts';
import type { Running } from '../../test/tools/process.ts';
import { startServer } from './server.ts';
import type { RunningServer, ServerOptions } from './server.ts';

const CLUSTER = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;
const HELLO = `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: hello }
spec:
  deploy: [{ cluster: local, manifests: deploy }]
`;
const FORGE = `---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: forge }
spec:
  source: { url: "https://forge.example/team/app.git", webhookSecret: { env: HOOK } }
  deploy: [{ cluster: local, manifests: deploy }]
`;
const SECRET = `apiVersion: v1
kind: Secret
metadata: { name: a }
data: { key: aGlkZGVu }
`;

let folder: string;
let redis: Running & { url: string };
let server: RunningServer;
let options: ServerOptions;
let store: ReturnType<typeof connectRedis>;
const signal = AbortSignal.timeout(300_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-server-'));
  redis = await startRedis(join(folder, 'redis'));
  options = {
    stateDir: join(folder, 'state'),
    listen: '127.0.0.1:0',
    redisUrl: redis.url,
    config: '/git/config.git',
    environment: { PATH: process.env['PATH'], HOOK: 'shared secret' },
    log: pino({ level: 'error' }),
  };
  server = await startServer(options);
  store = connectRedis(redis.url);
});

afterAll(async () => {
  await server.close();
  store.disconnect();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  code: number;
  text: string;
}

function git(cwd: string, ...args: string[]): Promise<Ended> {
  const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
  return new Promise((resolve) => {
    execFile('git', [...identity, ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr });
    });
  });
}

function remote(name: string, token = server.adminToken): string {
  return `${server.url.replace('://', `://x:${token}@`)}/git/${name}.git`;
}

async function repository(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, 'work', name);
  await mkdir(path, { recursive: true });
  await git(path, 'init', '--quiet', '--initial-branch=main', '.');
  await commit(path, files, `Begin ${name}`);
  return path;
}

async function commit(
  path: string,
  files: Record<string, string>,
  message: string,
): Promise<string> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(path, file, '..'), { recursive: true });
    await writeFile(join(path, file), text);
  }
  await git(path, 'add', '.');
  await git(path, 'commit', '--quiet', '--allow-empty', '-m', message);
  return (await git(path, 'rev-parse', 'HEAD')).text.trim();
}

async function api(path: string, body?: unknown): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`${server.url}/api/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

async function newestRun(pipeline: string): Promise<RunView | undefined> {
  return RunList.parse((await api(`runs?pipeline=${pipeline}&limit=1`)).json).runs[0];
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('it did not come');
}

function workersApi(): ServerApi {
  const token = new Secret(server.workerToken);
  return createServerApi({ url: server.url, token: () => Promise.resolve(token) });
}

/** Does what the workers would. */
async function work(runId: string, workers: ServerApi, text = SECRET): Promise<string> {
  const runs = createRunStore(store);
  const at = Date.now();
  await runs.apply(runId, { kind: 'started', at });
  await runs.apply(runId, { kind: 'step', step: 'clone', state: 'succeeded', at });
  await runs.appendLog(runId, [{ at, step: 'clone', line: 'cloned' }]);
  const manifests = { 'secret_default_a.yaml': text };
  await workers.storeRendered(runId, [{ entry: 'local', manifests }], signal);
  await runs.apply(runId, { kind: 'rendered', at });
  const release = await workers.release(runId, 'local', signal);
  await runs.apply(runId, { kind: 'released', entry: 'local', release: release.commit, at });
  return release.commit;
}

describe('a server', () => {
  it('refuses a configuration with its problems', async () => {
    const path = await repository('config', { 'pipelines/all.yaml': `${CLUSTER}wrong: 1\n` });
    const { code, text } = await git(path, 'push', remote('config'), 'main');
    expect(code).not.toBe(0);
    expect(text).toContain('remote: pipelines/all.yaml:5:1: ');
  });

  it('takes a configuration that is valid', async () => {
    const path = join(folder, 'work', 'config');
    await commit(path, { 'pipelines/all.yaml': `${CLUSTER}${FORGE}` }, 'Mend it');
    const { text } = await git(path, 'push', remote('config'), 'main');
    expect(text).toContain('remote: in force: 1 pipeline, 1 cluster');
    const view = ConfigView.parse((await api('config')).json);
    expect(view).toMatchObject({ pipelines: ['forge'], clusters: ['local'], problems: [] });
  });

  it.each([
    ['no token', 'wrong', 'Authentication failed'],
    ['a worker', '', '403'],
  ])('does not let %s push', async (_case, token, says) => {
    const path = join(folder, 'work', 'config');
    const { code, text } = await git(
      path,
      'push',
      remote('config', token || server.workerToken),
      'main:x',
    );
    expect(code).not.toBe(0);
    expect(text).toContain(says);
  });

  it('refuses a repository that is not declared, and says what to do', async () => {
    const path = await repository('stranger', { 'a.txt': 'a' });
    const { code, text } = await git(path, 'push', remote('stranger'), 'main');
    expect(code).not.toBe(0);
    expect(text).toContain('windlass init');
  });

  it('refuses a declaration of the repository with file and line', async () => {
    const path = await repository('broken', {
      'pipelines/p.yaml': HELLO.replace('hello', 'broken').replace('local', 'lokal'),
    });
    const { code, text } = await git(path, 'push', remote('broken'), 'main');
    expect(code).not.toBe(0);
    expect(text).toMatch(/remote: pipelines\/p\.yaml:\d+:\d+: /);
  });

  let first = '';
  it('tells a push its run until it is deployed', async () => {
    const path = await repository('hello', {
      'pipelines/p.yaml': HELLO,
      'a.bin': 'x'.repeat(3_000_000),
    });
    const pushing = git(path, 'push', remote('hello'), 'main');
    const run = await until(() => newestRun('hello'));
    const workers = workersApi();
    first = await work(run.id, workers);
    expect(await workers.release(run.id, 'local', signal)).toMatchObject({ commit: first });
    const opened = await workers.manifests('hello', first, signal);
    expect(opened['secret_default_a.yaml']).toContain('aGlkZGVu');
    await workers.markHealthy('hello', 'local', first, signal);
    await createRunStore(store).apply(run.id, { kind: 'deployed', entry: 'local', at: Date.now() });
    const { code, text } = await pushing;
    expect(code).toBe(0);
    expect(text).toContain(`remote: run ${run.id} of hello, main at`);
    expect(text).toContain('remote:   | cloned');
    expect(text).toMatch(/remote: DEPLOYED hello [0-9a-f]{8} in \d/);
    const { pipelines } = PipelineList.parse((await api('pipelines')).json);
    expect(pipelines.find(({ name }) => name === 'hello')?.declaredIn).toBe('repository');
    const { releases } = ReleaseList.parse((await api('releases/hello/local')).json);
    expect(releases).toMatchObject([
      { author: 'Ann <ann@example.com>', source: run.commit, runId: run.id, healthy: true },
    ]);
    const log = await fetch(`${server.url}/api/v1/runs/${run.id}/logs?follow=1`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const events = (await log.text())
      .trim()
      .split('\n')
      .map((line) => RunLogEvent.parse(JSON.parse(line)));
    expect(events).toMatchObject([{ kind: 'log', line: 'cloned' }, { kind: 'run' }]);
  });

  it('restores the last healthy release once, and rolls back', async () => {
    const path = join(folder, 'work', 'hello');
    await commit(path, { 'a.txt': '2' }, 'Second');
    const pushed = await git(path, 'push', '-o', 'nowait', remote('hello'), 'main');
    expect(pushed.text).toContain('is queued');
    const run = await until(() => newestRun('hello'));
    const workers = workersApi();
    const second = await work(run.id, workers, SECRET.replace('aGlkZGVu', 'b3RoZXI='));
    const restored = await workers.restore('hello', 'local', second, 'it crashes', signal);
    expect(restored).toMatchObject({ restores: first });
    expect(restored?.runId).toBeUndefined();
    const again = await workers.restore('hello', 'local', second, 'it crashes', signal);
    expect(again?.commit).toBe(restored?.commit);
    expect(await workers.heads('local', signal)).toMatchObject({
      releases: [{ commit: restored?.commit }],
      unreadable: [],
    });
    const releases = await git(
      folder,
      'clone',
      '--quiet',
      '--branch=local',
      remote('releases/hello'),
      'cloned',
    );
    expect(releases.code).toBe(0);
    const text = (await git(join(folder, 'cloned'), 'show', 'HEAD', 'HEAD:secret_default_a.yaml'))
      .text;
    expect(text).toContain('key: age:');
    expect(text).not.toContain('aGlkZGVu');
    expect(text).toContain(`Restores: ${first}`);
    await createRunStore(store).apply(run.id, {
      kind: 'deploy-failed',
      entry: 'local',
      reason: 'it crashes',
      at: Date.now(),
    });
    const { status, json } = await api('rollback', { pipeline: 'hello', to: second });
    expect(status).toBe(200);
    const rollback = RunView.parse(json);
    const back = await workers.release(rollback.id, 'local', signal);
    expect(back).toMatchObject({ restores: second, runId: rollback.id });
    expect(await workers.release(rollback.id, 'local', signal)).toMatchObject({
      commit: back.commit,
    });
    const cancelled = await api(`runs/${rollback.id}/cancel`, {});
    expect(RunView.parse(cancelled.json).state).toBe('cancelled');
    expect((await api(`runs/${rollback.id}/cancel`, {})).status).toBe(409);
    expect(RunView.parse((await api(`runs/${run.id}/retry`, {})).json).attempt).toBe(2);
  });

  it('explains what starts nothing', async () => {
    const path = join(folder, 'work', 'hello');
    await git(path, 'tag', 'v1');
    expect((await git(path, 'push', remote('hello'), 'v1', 'main:other')).text).toMatch(
      /refs\/tags\/v1 is stored[^]*runs on main only/,
    );
    expect((await git(path, 'push', remote('hello'), ':other')).text).toContain(
      'refs/heads/other is deleted',
    );
    expect((await git(path, 'push', remote('forge'), 'main')).text).toContain(
      'is built from https://forge.example',
    );
    expect((await git(path, 'push', remote('releases/hello'), 'main:local')).code).not.toBe(0);
  });

  const AFTER = 'a'.repeat(40);
  const PUSH = {
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    after: AFTER,
    repository: { clone_url: 'https://forge.example/team/app.git' },
  };
  const elsewhere = { clone_url: 'https://forge.example/team/other.git' };
  it.each([
    ['a push', 'push', PUSH, 'd1', 202, 1],
    ['the same delivery again', 'push', PUSH, 'd1', 200, 0],
    ['a tag', 'push', { ...PUSH, ref: 'refs/tags/v1' }, 'd2', 200, 0],
    ['a deletion', 'push', { ...PUSH, deleted: true, after: '0'.repeat(40) }, 'd3', 200, 0],
    ['another branch', 'push', { ...PUSH, ref: 'refs/heads/x' }, 'd4', 200, 0],
    ['an unknown repository', 'push', { ...PUSH, repository: elsewhere }, 'd5', 401, undefined],
    ['what is no push', 'push', { repository: PUSH.repository }, 'd6', 400, undefined],
    ['no delivery id', 'push', PUSH, '', 400, undefined],
    ['a ping', 'ping', { repository: PUSH.repository }, 'd7', 200, undefined],
  ])('answers a webhook with %s', async (_case, event, payload, delivery, status, count) => {
    const body = JSON.stringify(payload);
    const answer = await webhook(body, event, delivery, 'shared secret');
    expect(answer.status).toBe(status);
    const { pipelines } = (await answer.json()) as { pipelines?: string[] };
    expect(pipelines?.length).toBe(count);
  });

  const GENERIC = {
    url: 'git@forge.example:team/app',
    ref: 'refs/heads/main',
    commit: 'b'.repeat(40),
    who: 'nightly',
  };
  it.each([
    ['a push', GENERIC, 202, 1],
    ['the same words again', GENERIC, 200, 0],
    ['a deletion', { ...GENERIC, commit: '0'.repeat(40) }, 200, 0],
    ['another branch', { ...GENERIC, ref: 'refs/heads/x' }, 200, 0],
    ['an unknown repository', { ...GENERIC, url: elsewhere.clone_url }, 401, undefined],
    ['a misspelt field', { ...GENERIC, sha: '1' }, 400, undefined],
  ])('answers a generic webhook with %s', async (_case, payload, status, count) => {
    const answer = await genericWebhook(JSON.stringify(payload), 'shared secret');
    expect(answer.status).toBe(status);
    const { pipelines } = (await answer.json()) as { pipelines?: string[] };
    expect(pipelines?.length).toBe(count);
  });

  it('tells a generic delivery by its id, where it has one', async () => {
    const body = JSON.stringify({ ...GENERIC, commit: 'c'.repeat(40) });
    expect((await genericWebhook(body, 'shared secret', '1')).status).toBe(202);
    expect((await genericWebhook(body, 'shared secret', '1')).status).toBe(200);
    expect((await genericWebhook(body, 'wrong', '2')).status).toBe(401);
    const run = await until(() => runOf('c'.repeat(40)));
    expect(run.trigger).toMatchObject({ kind: 'webhook', who: 'nightly' });
  });

  it('makes runs of webhooks that were kept when it was killed', async () => {
    await server.close();
    const trigger = { ref: 'refs/heads/main', after: 'e'.repeat(40), who: 'ann' };
    await createRunStore(store).keep([
      {
        name: 'github:k1',
        at: Date.now(),
        trigger: { kind: 'webhook', ...trigger },
        pipelines: ['forge'],
      },
    ]);
    server = await startServer(options);
    expect((await until(() => runOf(trigger.after))).trigger).toMatchObject(trigger);
    expect(await createRunStore(store).kept(10)).toEqual([]);
    const body = JSON.stringify({ ...PUSH, after: trigger.after });
    expect((await webhook(body, 'push', 'k1', 'shared secret')).status).toBe(200);
  });

  async function runOf(wanted: string): Promise<RunView | undefined> {
    const newest = await newestRun('forge');
    return newest?.commit === wanted ? newest : undefined;
  }

  it('refuses webhooks that are signed wrongly, and those that are too long', async () => {
    const body = JSON.stringify(PUSH);
    expect((await webhook(body, 'push', 'd8', 'wrong')).status).toBe(401);
    expect((await webhook('{', 'push', 'd9', 'shared secret')).status).toBe(400);
    expect((await webhook('x'.repeat(6_000_000), 'push', 'd9', 'shared secret')).status).toBe(413);
  });

  it('finds pushed heads that have no run when it starts again', async () => {
    await server.close();
    const bare = join(options.stateDir, 'git/hello.git');
    const path = join(folder, 'work', 'hello');
    const head = await commit(path, { 'a.txt': '3' }, 'Third');
    await git(path, 'push', '--quiet', bare, 'main');
    server = await startServer(options);
    const run = await until(async () => {
      const newest = await newestRun('hello');
      return newest?.commit === head ? newest : undefined;
    });
    expect(run.trigger.kind).toBe('sweep');
    await expect(startServer(options)).rejects.toThrow(`process ${process.pid}`);
  });

  it('has every line of a log once, whenever it was away while they came', async () => {
    const runs = createRunStore(store);
    const { id } = await until(() => newestRun('hello'));
    const wanted = Array.from({ length: 600 }, (_, index) => `line ${index}`);
    async function write(): Promise<void> {
      for (const line of wanted) await runs.appendLog(id, [{ at: 1, step: 'clone', line }]);
    }
    const writing = write();
    for (let restarts = 0; restarts < 3; restarts += 1) {
      await until(async () => (await logOf(id)).at(100 * restarts + 20));
      await server.close();
      server = await startServer(options);
    }
    await writing;
    expect(await logOf(id)).toEqual(wanted);
  });

  it('has its history and logs again after Redis lost everything', async () => {
    const { id } = await until(() => newestRun('hello'));
    await createRunStore(store).apply(id, { kind: 'failed', reason: 'enough', at: Date.now() });
    const keeping = createRunKeeping(store);
    await until(async () => ((await keeping.unarchived()).includes(id) ? undefined : true));
    const before = RunList.parse((await api('runs')).json).runs.filter(isOver);
    await server.close();
    await store.flushall();
    server = await startServer(options);
    const after = RunList.parse((await api('runs')).json).runs;
    expect(after.filter(isOver)).toEqual(before);
    expect(after.filter((run) => run.pipeline === 'hello' && !isOver(run))).toEqual([]);
    expect(await logOf(id)).toHaveLength(600);
  });

  function isOver({ state }: RunView): boolean {
    return state !== 'queued' && state !== 'running';
  }

  async function logOf(id: string): Promise<string[]> {
    const answer = await fetch(`${server.url}/api/v1/runs/${id}/logs`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const events = (await answer.text()).trim().split('\n');
    return events
      .map((line) => RunLogEvent.parse(JSON.parse(line)))
      .flatMap((event) => (event.kind === 'log' ? [event.line] : []));
  }
});

function webhook(body: string, event: string, delivery: string, secret: string): Promise<Response> {
  return fetch(`${server.url}/webhooks/github`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      ...(delivery === '' ? {} : { 'x-github-delivery': delivery }),
      'x-hub-signature-256': signatureOf(body, secret),
    },
    body,
  });
}

function genericWebhook(body: string, secret: string, delivery = ''): Promise<Response> {
  return fetch(`${server.url}/webhooks/generic`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(delivery === '' ? {} : { 'x-windlass-delivery': delivery }),
      'x-windlass-signature-256': signatureOf(body, secret),
    },
    body,
  });
}

function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
