import { createHmac } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { RunView } from '#core/api/run.ts';
import { startCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { GitResult, Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';
import { freeNodePort } from '../tools/process.ts';

const NODE_PORT = await freeNodePort();
const never = new AbortController().signal;
const docker = connectDocker('unix:///var/run/docker.sock');

function config(remote: string): string {
  return `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec:
  source: { branches: [main] }
  images: [{ name: web, test: check }]
  deploy: [{ cluster: here, manifests: deploy/ }]
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: hooked }
spec:
  source: { url: "file://${remote}", branches: [main], webhookSecret: { env: WEBHOOK_SECRET } }
  images: [{ name: web }]
`;
}

const DOCKERFILE = `FROM busybox:1.36 AS app
COPY start.sh page.txt /app/
CMD ["sh", "/app/start.sh"]

FROM app AS check
RUN grep -q good /app/page.txt || { echo "the page is not good"; exit 3; }

FROM app
`;
/** Takes its time in every run of the tests: the cache of an earlier one has other seconds. */
function slowly(seconds: number): string {
  return `${DOCKERFILE}RUN echo ${Date.now()} && sleep ${seconds}\n`;
}

const START =
  'mkdir -p /www && cp /app/page.txt /www/page && cat /app/page.txt && exec httpd -f -p 8080 -h /www\n';

function web(change: { progressDeadlineSeconds?: number; path?: string } = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  progressDeadlineSeconds: ${change.progressDeadlineSeconds ?? 60}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 3
      containers:
        - name: web
          image: web
          env: [{ name: PASSWORD, valueFrom: { secretKeyRef: { name: login, key: password } } }]
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: ${change.path ?? '/page'}, port: http }, periodSeconds: 1 }
---
apiVersion: v1
kind: Secret
metadata: { name: login }
stringData: { password: correct-horse-battery }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: ${NODE_PORT} }] }
`;
}

const OTHER = `apiVersion: apps/v1
kind: Deployment
metadata: { name: other }
spec:
  selector: { matchLabels: { app: other } }
  template:
    metadata: { labels: { app: other } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: other, image: "busybox:1.36", command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"] }]
`;

interface Listed {
  Id: string;
  Created: number;
  Labels: Record<string, string>;
}

describe.sequential('from push to running', () => {
  let windlass: Windlass;
  let repository: Repository;
  let upstream: Repository;

  beforeAll(async () => {
    upstream = await createRepository();
    repository = await createRepository();
    windlass = await startWindlass(config(upstream.folder));
    await repository.git(
      'remote',
      'add',
      'windlass',
      `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/shop.git`,
    );
  });

  afterAll(async () => {
    await windlass.stop();
    await repository.remove();
    await upstream.remove();
  });

  function push(...args: string[]): Promise<GitResult> {
    return repository.git('push', ...args, 'windlass', 'main');
  }

  async function page(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${NODE_PORT}/page`, {
      signal: AbortSignal.timeout(3_000),
      headers: { connection: 'close' },
    });
    return (await response.text()).trim();
  }

  async function containers(name: string): Promise<Listed[]> {
    const filters = JSON.stringify({
      label: [
        `windlass.dev/installation=${windlass.installation}`,
        `windlass.dev/container=${name}`,
      ],
    });
    return callDocker<Listed[]>(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { filters },
      signal: never,
    });
  }

  /** Pushes a commit and answers its run, without waiting for it. */
  async function pushAway(files: Record<string, string | undefined>): Promise<RunView> {
    const commit = await repository.commit(files);
    const pushed = await push('-o', 'nowait');
    expect(pushed.code).toBe(0);
    const run = await windlass.lastRun('shop');
    expect(run.commit).toBe(commit);
    return run;
  }

  it('builds, tests, releases and serves what is pushed, and tells so', async () => {
    await repository.commit({
      Dockerfile: DOCKERFILE,
      'start.sh': START,
      'page.txt': 'good one\n',
      'deploy/web.yaml': web(),
      'deploy/other.yaml': OTHER,
    });
    const { code, output } = await push();
    expect(output).toMatch(
      /remote: \+ create Deployment\/default\/web|remote: .*create Deployment\/default\/web/,
    );
    expect(output).toMatch(/remote: DEPLOYED shop/);
    expect(code).toBe(0);
    expect(await page()).toBe('good one');
  });

  it('keeps Secret values out of the release, the log and Redis', async () => {
    const clone = await repository.git(
      'clone',
      '--quiet',
      '-b',
      'here',
      `${windlass.url.replace('//', `//dev:${windlass.token}@`)}/git/releases/shop.git`,
      'releases-clone',
    );
    expect(clone.output).toBe('');
    const shown = await repository.git('-C', 'releases-clone', 'show', 'HEAD');
    expect(shown.output).toContain('password: age:');
    expect(shown.output).toMatch(/image: 127\.0\.0\.1:\d+\/shop\/web@sha256:/);
    expect(shown.output).not.toContain('correct-horse');
    expect(shown.output).not.toContain(btoa('correct-horse-battery'));
    await rm(`${repository.folder}/releases-clone`, { recursive: true });
    for (const content of await filesIn(`${windlass.folder}/redis`)) {
      expect(content.includes('correct-horse')).toBe(false);
      expect(content.includes(btoa('correct-horse-battery'))).toBe(false);
    }
  });

  it('rolls a change out and touches no other pod', async () => {
    const [other] = await containers('other');
    await repository.commit({ 'page.txt': 'good two\n' });
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    expect(await page()).toBe('good two');
    expect((await containers('other')).map(({ Id }) => Id)).toEqual([other?.Id]);
  });

  it('follows what the pods of a workload print, from one release to the next', async () => {
    const following = startCli(windlass, ['logs', '-w', 'deployment/web', '-f', '--json']);
    async function podThatPrinted(text: string): Promise<string> {
      await waitUntil(async () => following.out().includes(`"${text}"`), text);
      const line = following
        .out()
        .split('\n')
        .findLast((each) => each.includes(`"${text}"`));
      return (JSON.parse(line ?? '') as { pod: string }).pod;
    }
    const first = await podThatPrinted('good two');
    await repository.commit({ 'page.txt': 'good three\n' });
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    expect(await podThatPrinted('good three')).not.toBe(first);
    await following.interrupt();
    await repository.commit({ 'page.txt': 'good two\n' });
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    await waitUntil(async () => (await containers('web')).length === 2, 'only the new pods');
  });

  it('changes and restarts nothing for a commit that changes nothing', async () => {
    const before = (await containers('web')).map(({ Id }) => Id).toSorted();
    await repository.commit({}, 'Empty');
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    expect((await containers('web')).map(({ Id }) => Id).toSorted()).toEqual(before);
  });

  it.each([
    {
      name: 'a failing test',
      files: { 'page.txt': 'bad\n' },
      told: /the page is not good[\s\S]*FAILED shop/,
      back: { 'page.txt': 'good two\n' },
    },
    {
      name: 'a bad Dockerfile',
      files: { Dockerfile: 'FROM busybox:1.36\nRUNN x\n' },
      told: /RUNN[\s\S]*FAILED shop/i,
      back: { Dockerfile: DOCKERFILE },
    },
    {
      name: 'a missing Dockerfile',
      files: { Dockerfile: undefined },
      told: /FAILED shop.*Dockerfile/,
      back: { Dockerfile: DOCKERFILE },
    },
    {
      name: 'a field the engine does not run',
      files: {
        'deploy/web.yaml': web().replace(
          'containers:',
          'priorityClassName: high\n      containers:',
        ),
      },
      told: /deploy\/web\.yaml:\d+:\d+: spec\.template\.spec\.priorityClassName: .*there is one server/,
      back: { 'deploy/web.yaml': web() },
    },
    {
      name: 'no manifests at all',
      files: { 'deploy/web.yaml': undefined, 'deploy/other.yaml': undefined },
      told: /FAILED shop/,
      back: { 'deploy/web.yaml': web(), 'deploy/other.yaml': OTHER },
    },
  ])('tells of $name, and the old release goes on serving', async ({ files, told, back }) => {
    await repository.commit(files);
    const { code, output } = await push();
    expect(output).toMatch(told);
    expect(code).toBe(0);
    expect(await page()).toBe('good two');
    await repository.commit(back);
  });

  it('puts the last healthy release back when the new one does not become healthy', async () => {
    await repository.commit({
      'deploy/web.yaml': web({ path: '/nothing', progressDeadlineSeconds: 5 }),
    });
    const { output } = await push();
    expect(output).toMatch(/FAILED shop: .*readiness probe: HTTP 404/);
    const run = await windlass.lastRun('shop');
    expect(run.deploys[0]?.restored).toMatch(/^[0-9a-f]{40}$/);
    expect(await page()).toBe('good two');
    const { releases } = await windlass.get<{ releases: { commit: string; restores?: string }[] }>(
      '/api/v1/releases/shop/here',
    );
    expect(releases[0]?.commit).toBe(run.deploys[0]?.restored);
    expect(releases[0]?.restores).toMatch(/^[0-9a-f]{40}$/);
    // Crashes are told with their exit code and last words.
    await repository.commit({
      'deploy/web.yaml': web({ progressDeadlineSeconds: 20 }),
      'start.sh': 'echo no database; exit 7\n',
    });
    const crashed = await push();
    expect(crashed.output).toMatch(/FAILED shop: .*exit code 7.*no database/);
    expect(await page()).toBe('good two');
    await repository.commit({ 'deploy/web.yaml': web(), 'start.sh': START });
  });

  it('puts back a container that somebody removed', async () => {
    await waitUntil(async () => (await containers('web')).length === 2, 'two web containers');
    const [removed] = await containers('web');
    await callDocker(docker, {
      method: 'DELETE',
      path: `/containers/${removed?.Id ?? ''}`,
      query: { force: true },
      signal: never,
    });
    async function isBack(): Promise<boolean> {
      const there = await containers('web');
      return there.length === 2 && there.every(({ Id }) => Id !== removed?.Id);
    }
    await waitUntil(isBack, 'a container in its place', 60_000);
    expect(await page()).toBe('good two');
  });

  it('goes on with a build and with a deploy whose worker was killed', async () => {
    const building = await pushAway({
      'page.txt': 'good three\n',
      Dockerfile: slowly(3),
    });
    await windlass.runUntil(building.id, ({ steps }) =>
      steps.some(({ name, state }) => name === 'build web' && state === 'running'),
    );
    await windlass.kill('build');
    await windlass.start('build');
    expect(
      await windlass.runUntil(building.id, ({ endedAt }) => endedAt !== undefined),
    ).toMatchObject({ state: 'succeeded' });
    expect(await page()).toBe('good three');

    const deploying = await pushAway({
      'page.txt': 'good four\n',
      Dockerfile: DOCKERFILE,
      'start.sh': `sleep 4; ${START}`,
    });
    await windlass.runUntil(deploying.id, ({ deploys }) => deploys[0]?.state === 'running');
    await sleep(500);
    await windlass.kill('deploy');
    expect(await page()).toBe('good three');
    await windlass.start('deploy');
    expect(
      await windlass.runUntil(deploying.id, ({ endedAt }) => endedAt !== undefined),
    ).toMatchObject({ state: 'succeeded' });
    expect(await page()).toBe('good four');
  });

  it('finds a push that the server was killed over', async () => {
    const run = await pushAway({ 'page.txt': 'good five\n', 'start.sh': START });
    await windlass.kill('server');
    await sleep(500);
    await windlass.start('server');
    expect((await windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined)).state).toBe(
      'succeeded',
    );
    expect(await page()).toBe('good five');
  });

  it('heals with Redis away, and takes runs up when it is back', async () => {
    const run = await pushAway({
      'page.txt': 'good after all\n',
      Dockerfile: slowly(2),
    });
    await windlass.runUntil(run.id, ({ steps }) =>
      steps.some(({ name, state }) => name === 'build web' && state === 'running'),
    );
    await windlass.withoutRedis(async () => {
      const [removed] = await containers('web');
      await callDocker(docker, {
        method: 'DELETE',
        path: `/containers/${removed?.Id ?? ''}`,
        query: { force: true },
        signal: never,
      });
      await waitUntil(
        async () => (await containers('web')).filter(({ Id }) => Id !== removed?.Id).length === 2,
        'a container in its place',
        60_000,
      );
      expect(await page()).toBe('good five');
    });
    const ended = await windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined);
    expect(ended.state).toBe('succeeded');
    expect(await page()).toBe('good after all');
  });

  it('supersedes a build by a newer push, and a deploy that waits', async () => {
    const slow = await pushAway({ Dockerfile: slowly(20) });
    await windlass.runUntil(slow.id, ({ steps }) =>
      steps.some(({ name, state }) => name === 'build web' && state === 'running'),
    );
    const waiting = await pushAway({
      Dockerfile: DOCKERFILE,
      'deploy/web.yaml': web({ path: '/nothing', progressDeadlineSeconds: 60 }),
    });
    expect((await windlass.runUntil(slow.id, ({ endedAt }) => endedAt !== undefined)).state).toBe(
      'superseded',
    );
    await windlass.runUntil(
      waiting.id,
      ({ deploys }) => deploys[0]?.reason !== undefined && deploys[0].reason !== '',
    );
    const last = await pushAway({ 'page.txt': 'good six\n', 'deploy/web.yaml': web() });
    expect((await windlass.runUntil(last.id, ({ endedAt }) => endedAt !== undefined)).state).toBe(
      'succeeded',
    );
    expect(
      (await windlass.runUntil(waiting.id, ({ endedAt }) => endedAt !== undefined)).state,
    ).toBe('superseded');
    expect(await page()).toBe('good six');
  });

  it('cancels a build and a deploy, and leaves the queue usable', async () => {
    const building = await pushAway({ Dockerfile: slowly(60) });
    await windlass.runUntil(building.id, ({ steps }) =>
      steps.some(({ name, state }) => name === 'build web' && state === 'running'),
    );
    await windlass.post(`/api/v1/runs/${building.id}/cancel`);
    expect(
      (await windlass.runUntil(building.id, ({ endedAt }) => endedAt !== undefined)).state,
    ).toBe('cancelled');
    const deploying = await pushAway({
      Dockerfile: DOCKERFILE,
      'deploy/web.yaml': web({ path: '/nothing', progressDeadlineSeconds: 60 }),
    });
    await windlass.runUntil(
      deploying.id,
      ({ deploys }) => deploys[0]?.reason !== undefined && deploys[0].reason !== '',
    );
    await windlass.post(`/api/v1/runs/${deploying.id}/cancel`);
    const cancelled = await windlass.runUntil(deploying.id, ({ endedAt }) => endedAt !== undefined);
    expect(cancelled.state).toBe('cancelled');
    expect(cancelled.deploys[0]?.restored).toMatch(/^[0-9a-f]{40}$/);
    expect(await page()).toBe('good six');
    await repository.commit({ 'deploy/web.yaml': web(), 'page.txt': 'good seven\n' });
    expect((await push()).output).toMatch(/remote: DEPLOYED shop/);
    expect(await page()).toBe('good seven');
  });

  it('rolls back to an earlier release', async () => {
    const run = await windlass.post<RunView>('/api/v1/rollback', {
      pipeline: 'shop',
      entry: 'here',
    });
    expect((await windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined)).state).toBe(
      'succeeded',
    );
    expect(await page()).toBe('good six');
  });

  it('prunes what left git', async () => {
    await repository.commit({ 'deploy/other.yaml': undefined });
    expect((await push()).output).toMatch(/delete Deployment\/default\/other/);
    await waitUntil(async () => (await containers('other')).length === 0, 'the pruned pod', 60_000);
    expect(await page()).toBe('good seven');
  });

  it('survives a force-push, and starts nothing for a tag or a deleted branch', async () => {
    await repository.git('reset', '--quiet', '--hard', 'HEAD~1');
    await repository.commit({ 'page.txt': 'good again\n' });
    expect((await push('--force')).output).toMatch(/remote: DEPLOYED shop/);
    expect(await page()).toBe('good again');
    const { id } = await windlass.lastRun('shop');
    await repository.git('tag', 'v1');
    await repository.git('push', 'windlass', 'v1');
    await repository.git('push', 'windlass', 'main:refs/heads/elsewhere');
    await repository.git('push', 'windlass', ':elsewhere');
    expect((await windlass.lastRun('shop')).id).toBe(id);
  });

  it('refuses a repository that nobody declared, and a wrong token', async () => {
    const base = windlass.url.replace('//', `//dev:${windlass.token}@`);
    const unknown = await repository.git('push', `${base}/git/unknown.git`, 'main');
    expect(unknown.code).not.toBe(0);
    expect(unknown.output).toContain('windlass init');
    const wrong = await repository.git(
      'push',
      `${windlass.url.replace('//', '//dev:wrong@')}/git/shop.git`,
      'main',
    );
    expect(wrong.code).not.toBe(0);
  });

  it('takes a signed webhook once, and refuses all others', async () => {
    const commit = await upstream.commit({ Dockerfile: 'FROM busybox:1.36\n' });
    const body = JSON.stringify({
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: commit,
      deleted: false,
      repository: { clone_url: `file://${upstream.folder}` },
      pusher: { name: 'ada' },
    });
    async function send(signature: string, delivery: string): Promise<Response> {
      return fetch(`${windlass.url}/webhooks/github`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'x-github-event': 'push',
          'x-github-delivery': delivery,
          'x-hub-signature-256': signature,
        },
      });
    }
    const good = `sha256=${createHmac('sha256', 'webhook secret').update(body).digest('hex')}`;
    expect((await send(`sha256=${'0'.repeat(64)}`, 'd0')).status).toBe(401);
    expect((await send(good, 'd1')).status).toBe(202);
    await expect.poll(() => windlass.lastRun('hooked')).toMatchObject({ commit });
    const run = await windlass.lastRun('hooked');
    expect((await windlass.runUntil(run.id, ({ endedAt }) => endedAt !== undefined)).state).toBe(
      'succeeded',
    );
    expect((await send(good, 'd1')).ok).toBe(true);
    expect((await windlass.lastRun('hooked')).id).toBe(run.id);
    expect(Object.keys(run.images).length + run.steps.length).toBeGreaterThan(0);
  });
});

/** The content of every regular file below a folder. */
async function filesIn(folder: string): Promise<Buffer[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name))));
}
