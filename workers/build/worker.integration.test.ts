import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectDocker } from '#adapters/docker/connect.ts';
import { createImageEngine } from '#adapters/docker/image-engine.ts';
import { listImages, removeImage } from '#adapters/docker/image-store.ts';
import { createMirrors } from '#adapters/git/mirror.ts';
import { createJobQueue } from '#adapters/queue/job-queue.ts';
import { createRegistryClient } from '#adapters/registry/registry-client.ts';
import { resolveDigest } from '#adapters/registry/resolve-digest.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRegistryGate } from '#adapters/store/registry-gate.ts';
import { createRunKeeping } from '#adapters/store/run-keeping.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { LogLine, JobQueue, RunStore } from '#core/ports.ts';
import type { RenderedEntry } from '#core/release/release.ts';
import { newRun } from '#core/run/new-run.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { isBuilt } from '#core/run/transition.ts';
import { Secret } from '#core/secret.ts';
import type { Running } from '../../test/tools/process.ts';
import { startRedis } from '../../test/tools/redis.ts';
import { startRegistry } from '../../test/tools/registry.ts';
import { collectLocally, collectRegistry } from './collect.ts';
import type { CollectContext } from './collect.ts';
import { IMAGE_LABELS } from './image-labels.ts';
import { startBuildWorker } from './worker.ts';
import type { BuildWorker, BuildWorkerDeps } from './worker.ts';

const NEVER = new AbortController().signal;
const INSTALLATION = `t${process.pid}`;
const docker = connectDocker('unix:///var/run/docker.sock');

const DOCKERFILE = `FROM busybox:1.36 AS check
COPY . /src
RUN grep -q good /src/index.html
FROM busybox:1.36
COPY index.html /www/
`;
const MANIFEST = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - { name: web, image: web }
        - { name: side, image: "busybox:1.36" }
`;
const GOOD = {
  Dockerfile: DOCKERFILE,
  'index.html': 'good',
  '.dockerignore': 'deploy\n',
  'deploy/web.yaml': MANIFEST,
};

function noCredentials(): Promise<undefined> {
  return Promise.resolve(undefined);
}

describe('the build worker', () => {
  let folder = '';
  let source = '';
  let server: Running & { url: string };
  let registry: Running & { host: string; port: number };
  let redis: Redis;
  let runs: RunStore;
  let queue: JobQueue;
  let worker: BuildWorker | undefined;
  let stored: { runId: string; entries: readonly RenderedEntry[] }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'windlass-worker-'));
    server = await startRedis(join(folder, 'redis'));
    registry = await startRegistry(join(folder, 'registry'));
    redis = connectRedis(server.url);
    runs = createRunStore(redis);
    queue = createJobQueue(redis, () => undefined);
  });
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
    await registry.stop();
    await removeOurs();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    source = join(folder, randomUUID());
    stored = [];
    await mkdir(source);
    git('init', '--quiet', '-b', 'main');
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
  });

  function git(...args: string[]): string {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    return execFileSync('git', [...identity, ...args], { cwd: source, encoding: 'utf8' }).trim();
  }

  async function commit(files: Record<string, string>): Promise<string> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(source, path)), { recursive: true });
      await writeFile(join(source, path), text);
    }
    git('add', '--all');
    git('commit', '--quiet', '--allow-empty', '-m', 'a change');
    return git('rev-parse', 'HEAD');
  }

  function deps(change: Partial<BuildWorkerDeps> = {}): BuildWorkerDeps {
    return {
      redis,
      runs,
      server: {
        whenUp: () => Promise.resolve(),
        storeRendered: (runId, entries) => {
          stored.push({ runId, entries });
          return Promise.resolve();
        },
      },
      mirrors: createMirrors(join(folder, 'mirrors'), process.env),
      engine: createImageEngine(docker, noCredentials),
      gate: createRegistryGate(redis),
      resolveDigest: (image, _logins, signal) =>
        resolveDigest(docker, image, noCredentials, signal),
      readSecret: createSecretReader({}),
      engineOf: () => Promise.resolve('docker'),
      settings: {
        installation: INSTALLATION,
        registry: registry.host,
        serverUrl: 'http://127.0.0.1:1',
        workerToken: () => Promise.resolve(new Secret('token')),
        checkouts: join(folder, 'checkouts'),
        programs: process.env['PATH'] ?? '',
      },
      now: Date.now,
      log: pino({ level: 'silent' }),
      ...change,
    };
  }

  async function start(after: string, change: object = {}): Promise<Run> {
    const spec = PipelineSpec.parse({
      source: { url: `file://${source}` },
      images: [{ name: 'web', test: 'check' }],
      deploy: [{ cluster: 'local', manifests: 'deploy/' }],
      ...change,
    });
    const trigger = { kind: 'push' as const, ref: 'refs/heads/main', after, who: 'ann' };
    const run = newRun({ id: randomUUID(), pipeline: 'hello', spec, trigger, at: Date.now() });
    await runs.record([{ runs: [run] }]);
    return run;
  }

  async function until(run: Run, is: (run: Run) => boolean): Promise<Run> {
    for (;;) {
      const now = await runs.get(run.id);
      if (now !== undefined && is(now)) return now;
      await sleep(20);
    }
  }

  function over(run: Run): Promise<Run> {
    return until(run, (now) => isFinished(now) || isBuilt(now));
  }

  async function readLog(id: string): Promise<LogLine[]> {
    const held = await createRunKeeping(redis).logAfter(id, 0, 1_000);
    return held.flatMap(({ lines }) => lines);
  }

  async function logOf(run: Run): Promise<string> {
    return (await readLog(run.id)).map(({ step, line }) => `${step}: ${line}`).join('\n');
  }

  function states(run: Run): Record<string, string> {
    return Object.fromEntries(run.steps.map(({ name, state }) => [name, state]));
  }

  it('takes a push to digests and rendered manifests', async () => {
    worker = startBuildWorker(deps());
    const head = await commit(GOOD);
    const run = await over(await start(head));
    const reference = run.images['web'] ?? '';
    expect(reference).toMatch(new RegExp(`^${registry.host}/hello/web@sha256:[0-9a-f]{64}$`));
    expect(run).toMatchObject({ commit: head, subject: 'a change', state: 'running' });
    expect(states(run)).toMatchObject({
      clone: 'succeeded',
      'test web': 'succeeded',
      'build web': 'succeeded',
      'push web': 'succeeded',
      render: 'succeeded',
      'release local': 'pending',
    });
    const [entry] = stored[0]?.entries ?? [];
    const text = entry?.manifests['deployment_default_web.yaml'] ?? '';
    expect(text).toContain(`image: ${reference}`);
    expect(text).toContain('image: busybox:1.36');
    expect(await logOf(run)).toContain('busybox:1.36 stays a tag');
    await expect.poll(() => readdir(join(folder, 'checkouts'))).toEqual([]);
  });

  it('gives an unchanged context the same digest in the next commit, out of the cache', async () => {
    worker = startBuildWorker(deps());
    const first = await over(await start(await commit(GOOD)));
    const head = await commit({ 'deploy/more.yaml': '# nothing\n' });
    const second = await over(await start(head));
    expect(second.commit).toBe(head);
    expect(second.images).toEqual(first.images);
    expect(second.steps.find(({ name }) => name === 'test web')?.detail).toBe('cached');
    expect(second.steps.find(({ name }) => name === 'build web')?.detail).toBe('cached');
  });

  it.each<[string, Record<string, string>, object, string, RegExp]>([
    ['a failing test', { 'index.html': 'bad' }, {}, 'test web', /grep -q good .* exit code 1/],
    ['a bad Dockerfile', { Dockerfile: 'FRM x' }, {}, 'test web', /unknown instruction: FRM/],
    [
      'a missing Dockerfile',
      {},
      { images: [{ name: 'web', dockerfile: 'none' }] },
      'build web',
      /the Dockerfile none is not in the repository/,
    ],
    [
      'a manifests folder that is not there',
      {},
      { deploy: [{ cluster: 'local', manifests: 'none' }] },
      'render',
      /the manifests folder none is not in the repository/,
    ],
    ['no manifests', { 'deploy/web.yaml': '' }, {}, 'render', /no manifests in deploy/],
    [
      'a manifest with a mistake',
      { 'deploy/web.yaml': MANIFEST.replace('replicas', 'x').replace('selector', 'selectr') },
      {},
      'render',
      /deploy\/web.yaml:5:\d+.*selectr/,
    ],
    [
      'an image nobody knows',
      { 'deploy/web.yaml': MANIFEST.replace('busybox:1.36', '127.0.0.1:1/wbe:1') },
      {},
      'render',
      /names? the image 127.0.0.1:1\/wbe:1/,
    ],
  ])('ends the run for %s and says why', async (_case, files, change, step, reason) => {
    worker = startBuildWorker(deps());
    const run = await over(await start(await commit({ ...GOOD, ...files }), change));
    expect(run.state).toBe('failed');
    expect(run.reason).toMatch(reason);
    expect(states(run)[step]).toBe('failed');
    expect(await logOf(run)).toMatch(reason);
    expect(stored).toEqual([]);
  });

  it('refuses a link that leaves the repository', async () => {
    worker = startBuildWorker(deps());
    await commit(GOOD);
    await symlink('/etc/passwd', join(source, 'leak'));
    const run = await over(await start(await commit({})));
    expect(run.reason).toMatch(/^leak is a symbolic link that leaves the repository/);
  });

  it('cancels a build under way and goes on with the next', async () => {
    worker = startBuildWorker(deps({ concurrency: 1 }));
    const slow = await start(await commit({ ...GOOD, Dockerfile: slowDockerfile() }));
    await until(slow, (run) => states(run)['test web'] === 'running');
    const next = await start(await commit(GOOD));
    await runs.apply(slow.id, { kind: 'cancel-requested', who: 'ann', at: Date.now() });
    expect(await over(slow)).toMatchObject({ state: 'cancelled', reason: 'cancelled by ann' });
    expect(isBuilt(await over(next))).toBe(true);
  });

  it('leaves a build that was superseded', async () => {
    worker = startBuildWorker(deps({ concurrency: 1 }));
    const slow = await start(await commit({ ...GOOD, Dockerfile: slowDockerfile() }));
    await until(slow, (run) => states(run)['test web'] === 'running');
    const next = await start(await commit(GOOD));
    await runs.apply(slow.id, { kind: 'superseded', by: next.id, at: Date.now() });
    expect(isBuilt(await over(next))).toBe(true);
    expect(await runs.get(slow.id)).toMatchObject({ state: 'superseded' });
  });

  it('ends a build that takes too long', async () => {
    worker = startBuildWorker(deps());
    const head = await commit({ ...GOOD, Dockerfile: slowDockerfile() });
    const run = await over(await start(head, { timeoutSeconds: 2 }));
    expect(run).toMatchObject({ state: 'failed' });
    expect(run.reason).toContain('longer than 2 s');
  });

  it('tries again while the registry is away', async () => {
    worker = startBuildWorker(deps());
    await registry.stop();
    const run = await start(await commit({ ...GOOD, 'index.html': `good ${randomUUID()}` }));
    await expect.poll(() => logOf(run), { timeout: 30_000 }).toContain('trying again (2 of 4)');
    registry = await startRegistry(join(folder, 'registry'), registry.port);
    expect(isBuilt(await over(run))).toBe(true);
    expect(stored).toHaveLength(1);
  });

  it('waits Redis out', async () => {
    worker = startBuildWorker(deps());
    const head = await commit({ ...GOOD, Dockerfile: slowDockerfile(4) });
    const run = await start(head);
    await until(run, (now) => states(now)['test web'] === 'running');
    await server.stop('SIGKILL');
    await sleep(1_000);
    server = await startRedis(join(folder, 'redis'));
    expect(isBuilt(await over(run))).toBe(true);
  });

  it('hands a build back when it is closed, and another worker ends it', async () => {
    worker = startBuildWorker(deps());
    const run = await start(await commit({ ...GOOD, Dockerfile: slowDockerfile(3) }));
    await until(run, (now) => states(now)['test web'] === 'running');
    await worker.close();
    expect(await runs.get(run.id)).toMatchObject({ state: 'running' });
    worker = startBuildWorker(deps());
    expect(isBuilt(await over(run))).toBe(true);
  });

  it('loses nothing when it is killed in the middle of a build, twice', async () => {
    const run = await start(await commit({ ...GOOD, Dockerfile: slowDockerfile(6) }));
    for (let kills = 0; kills < 2; kills += 1) {
      const { steps } = (await runs.get(run.id)) ?? run;
      const before = steps.find(({ name }) => name === 'test web')?.startedAt;
      const child = startProcess();
      await until(run, (now) => {
        const step = now.steps.find(({ name }) => name === 'test web');
        return step?.state === 'running' && step.startedAt !== before;
      });
      child.kill('SIGKILL');
    }
    worker = startBuildWorker(deps());
    expect(isBuilt(await over(run))).toBe(true);
    expect(stored.map(({ runId }) => runId)).toEqual([run.id]);
  });

  function startProcess(): ChildProcess {
    const config = {
      redis: server.url,
      folder,
      registry: registry.host,
      installation: INSTALLATION,
    };
    const script = join(import.meta.dirname, '../../test/tools/build-worker-process.ts');
    return spawn(process.execPath, [script, JSON.stringify(config)], { stdio: 'inherit' });
  }

  it('does nothing for a run that is over', async () => {
    const run = await start(await commit(GOOD));
    await runs.apply(run.id, { kind: 'cancel-requested', who: 'ann', at: Date.now() });
    worker = startBuildWorker(deps());
    await expect
      .poll(() =>
        queue.state({ queue: 'build', name: 'build', id: `${run.id}.build`, payload: {} }),
      )
      .toBe('missing');
    expect(await readLog(run.id)).toEqual([]);
  });

  it('collects images of old commits, here and in the registry', async () => {
    worker = startBuildWorker(deps());
    const repository = `${registry.host}/hello/web`;
    const commits = [];
    for (let index = 0; index < 7; index += 1) {
      const head = await commit({ ...GOOD, 'index.html': `good ${index} ${randomUUID()}` });
      await over(await start(head));
      commits.push(head);
    }
    const client = createRegistryClient(noCredentials);
    const released: string[] = [];
    const context: CollectContext = {
      ...deps(),
      docker,
      server: { keptImages: () => Promise.resolve(released) },
      gate: createRegistryGate(redis),
      memory: { gone: new Set(), isRefused: false, freedAt: 0 },
      registry: client,
      settings: { ...deps().settings, mirrors: join(folder, 'mirrors') },
    };
    for (const run of await runs.unfinished())
      await runs.apply(run.id, { kind: 'failed', reason: 'over', at: Date.now() });
    const first = (await runs.list({ pipeline: 'hello', limit: 7 })).at(-1);
    released.push(...Object.values(first?.images ?? {}));
    await collectLocally(context, NEVER);
    expect(await collectRegistry(context, NEVER)).toBe(true);
    const label = { name: IMAGE_LABELS.installation, value: INSTALLATION };
    const left = await listImages(docker, label, IMAGE_LABELS.pipeline, NEVER);
    const kept = commits.filter((_commit, index) => index !== 1);
    const expected = kept.map((each) => `${repository}:${each}`);
    expect(left.flatMap(({ image }) => image.tags).toSorted()).toEqual(expected.toSorted());
    expect((await client.tags(repository, NEVER)).toSorted()).toEqual(kept.toSorted());
  });

  function slowDockerfile(seconds = 300): string {
    const sleeping = `RUN sleep ${seconds}; : ${randomUUID()}`;
    return DOCKERFILE.replace('RUN grep', `${sleeping}\nRUN grep`);
  }

  async function removeOurs(): Promise<void> {
    const label = { name: IMAGE_LABELS.installation, value: INSTALLATION };
    for (const { image } of await listImages(docker, label, IMAGE_LABELS.pipeline, NEVER)) {
      for (const name of image.tags.length > 0 ? image.tags : [image.id])
        await removeImage(docker, name, NEVER);
    }
  }
});
