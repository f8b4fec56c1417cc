import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSealer } from '#adapters/age/seal.ts';
import { createMemoryEventStore } from '#adapters/fake/event-store.ts';
import { createMemoryJobQueue } from '#adapters/fake/job-queue.ts';
import type { MemoryJobQueue } from '#adapters/fake/job-queue.ts';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import { createSecretReader } from '#adapters/secrets/read-secret.ts';
import { ClusterList } from '#core/api/cluster.ts';
import { ErrorBody } from '#core/api/error.ts';
import { RunView } from '#core/api/run.ts';
import { parseDeclarations } from '#core/declarations/parse.ts';
import type { EventStore, RunKeeping, RunStore } from '#core/ports.ts';
import type { Trigger } from '#core/run/run.ts';
import { createByHandActions } from './by-hand/by-hand.ts';
import { openByHandStore } from './by-hand/store.ts';
import { checkNotSuspended } from './by-hand/suspension.ts';
import { createApp } from './app.ts';
import { createDirectAnswers } from './direct-answers.ts';
import { createMetrics } from './metrics/metrics.ts';
import { openClusterRegistry } from './cluster-registry.ts';
import { createRepositories } from './git/repositories.ts';
import { createInbox } from './inbox.ts';
import { createKnownPipelines } from './known-pipelines.ts';
import { createOrchestrator } from './orchestrator.ts';
import type { Orchestrator } from './orchestrator.ts';
import { createReleases } from './releases/releases.ts';
import { createRunArchive } from './runs/run-archive.ts';

const DECLARED = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
---
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: fleet }
spec:
  engine: swarm
  servers: [{ name: s1, role: manager, advertise: 10.0.0.1, docker: "unix:///run/s1.sock" }]
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: hello }
spec: { deploy: [{ cluster: local, manifests: deploy }] }
`;
const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { a: b }\n';
const TOKENS = { admin: 'admin-token-of-the-test', worker: 'worker-token-of-the-test' };
const ADMIN = { authorization: `Bearer ${TOKENS.admin}` };

let folder: string;
let app: FastifyInstance;
let queue: MemoryJobQueue;
let runs: RunStore & RunKeeping;
let events: EventStore;
let orchestrator: Orchestrator;
const { declarations } = parseDeclarations([{ path: 'a.yaml', text: DECLARED }]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-app-'));
  const log = pino({ level: 'silent' });
  const machine = { PATH: process.env['PATH'] };
  queue = createMemoryJobQueue();
  runs = createMemoryRunStore(queue);
  const shared = createMemorySharedState();
  events = createMemoryEventStore();
  const repositories = createRepositories(folder, machine);
  const config = {
    declarations: () => declarations,
    isKnown: () => true,
    view: () => ({ source: 'test', pipelines: ['hello'], clusters: ['local'], problems: [] }),
    refresh: async () => false,
    pollMs: 1_000,
  };
  const store = await openByHandStore(join(folder, 'by-hand.json'));
  const pipelines = createKnownPipelines(config, repositories, {
    shared,
    registry: await openClusterRegistry(join(folder, 'clusters.json')),
    byHand: store,
    now: Date.now,
  });
  const releases = createReleases({
    root: join(folder, 'releases'),
    machine,
    sealer: await openSealer(join(folder, 'age.key')),
    run: (id) => runs.get(id),
    entriesOn: (cluster) => pipelines.entriesOn(cluster),
    authorOf: async () => undefined,
    checkMayRelease: (pipeline, entry) => checkNotSuspended(store, pipeline, entry),
  });
  const byHand = createByHandActions({
    store,
    shared,
    pipelines,
    repositories,
    releases,
    now: Date.now,
  });
  orchestrator = createOrchestrator({
    runs,
    queue,
    releases,
    repositories,
    pipelines,
    now: Date.now,
    log,
  });
  app = await createApp({
    runs,
    archive: createRunArchive({ folder: join(folder, 'runs'), runs, log }),
    shared,
    events,
    queue,
    releases,
    identity: { installation: 'a', recordsKey: 'b' },
    answers: createDirectAnswers(),
    keptImages: async () => [],
    byHand,
    pipelines,
    config,
    orchestrator,
    inbox: createInbox({ runs, orchestrator, now: Date.now, log }),
    tokens: TOKENS,
    readSecret: createSecretReader({}),
    readStream: async () => undefined,
    readiness: async () => ({ redis: true }),
    metrics: createMetrics({
      runs,
      queue: { depth: async () => ({ waiting: 0, active: 0, delayed: 0, failed: 0, workers: 0 }) },
      shared,
      clusters: () => ['local'],
      now: Date.now,
    }),
    remotes: { problems: () => [] },
    git: {
      root: folder,
      repositories,
      machine,
      hooks: folder,
      channels: { serve: () => undefined, close: () => undefined },
      maxPackBytes: 1_024,
    },
    log,
  });
});

afterEach(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

function receive(after: string): ReturnType<Orchestrator['receive']> {
  const trigger: Trigger = { kind: 'push', ref: 'refs/heads/main', after, who: 'ann' };
  const spec = declarations.pipelines['hello']?.spec;
  if (spec === undefined) throw new Error('hello is not declared');
  return orchestrator.receive(trigger, { pipeline: 'hello', spec });
}

describe('who may ask', () => {
  it.each([
    ['/healthz', {}, 200],
    ['/readyz', {}, 200],
    ['/api/v1/runs', {}, 401],
    ['/api/v1/runs', { authorization: `Bearer ${TOKENS.worker}` }, 401],
    ['/api/v1/runs', ADMIN, 200],
    ['/api/v1/runs', { authorization: `Basic ${btoa(`any:${TOKENS.admin}`)}` }, 200],
    ['/internal/v1/clusters/local/heads', {}, 401],
    ['/internal/v1/clusters/local/heads', { authorization: `Bearer ${TOKENS.worker}` }, 200],
    ['/git/hello.git/info/refs?service=git-upload-pack', {}, 401],
    ['/git/hello.git/info/refs?service=git-upload-pack', ADMIN, 404],
    ['/git/..%2fage.key.git/info/refs?service=git-upload-pack', ADMIN, 404],
    ['/git/hello.git/HEAD', ADMIN, 404],
    ['/nothing', ADMIN, 404],
  ])('%s %j: %i', async (url, headers, status) => {
    const answer = await app.inject({ url, headers });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });
});

describe('what is asked wrongly', () => {
  it.each([
    ['GET', '/api/v1/runs?limit=0', undefined, 400, 'limit'],
    ['GET', '/api/v1/runs?limt=1', undefined, 400, 'limt'],
    ['GET', '/api/v1/runs/none', undefined, 404, 'none'],
    ['GET', '/api/v1/clusters/other/workloads', undefined, 404, 'other'],
    ['GET', '/api/v1/clusters/local/logs?workload=web', undefined, 400, 'Kind/name'],
    ['POST', '/api/v1/rollback', { pipeline: 'other' }, 404, 'other'],
    ['POST', '/api/v1/rollback', { pipeline: 'hello' }, 404, 'no earlier healthy release'],
    ['POST', '/api/v1/plan', { pipeline: 'hello', entry: 'x', manifests: {} }, 404, 'x'],
    ['POST', '/api/v1/plan', '{', 400, ''],
  ] as const)('%s %s %j: %i %s', async (method, url, body, status, says) => {
    const headers = {
      ...ADMIN,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const answer = await app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body }),
    });
    expect(answer.statusCode).toBe(status);
    expect(ErrorBody.parse(answer.json()).error.message).toContain(says);
  });
});

describe('runs', () => {
  it('supersedes the older of two pushes and takes its job out', async () => {
    const older = await receive('a'.repeat(40));
    const newer = await receive('b'.repeat(40));
    await expect
      .poll(() => runs.get(older.id))
      .toMatchObject({ state: 'superseded', supersededBy: newer.id });
    await expect.poll(() => [...queue.jobs.keys()]).toEqual([`${newer.id}.build`]);
  });

  it('brings a lost job back, and ends a run whose job has failed', async () => {
    const run = await receive('a'.repeat(40));
    queue.jobs.clear();
    await orchestrator.sweep();
    expect(queue.jobs.has(`${run.id}.build`)).toBe(true);
    queue.fail(`${run.id}.build`, 'out of memory');
    await orchestrator.sweep();
    expect(await runs.get(run.id)).toMatchObject({ state: 'failed', reason: 'out of memory' });
  });

  it('cancels what waits and retries what has ended', async () => {
    const { id } = await receive('a'.repeat(40));
    const post = { method: 'POST', headers: ADMIN } as const;
    expect((await app.inject({ ...post, url: `/api/v1/runs/${id}/retry` })).statusCode).toBe(409);
    const cancelled = await app.inject({ ...post, url: `/api/v1/runs/${id}/cancel` });
    expect(RunView.parse(cancelled.json()).state).toBe('cancelled');
    expect(queue.jobs.size).toBe(0);
    const again = await app.inject({ ...post, url: `/api/v1/runs/${id}/retry` });
    expect(RunView.parse(again.json())).toMatchObject({ attempt: 2, commit: 'a'.repeat(40) });
  });
});

describe('events', () => {
  it('are told as asked, newest last', async () => {
    const event = {
      at: 1,
      type: 'Normal' as const,
      owner: 'hello/local',
      reason: 'A',
      message: '',
    };
    const other = { ...event, owner: 'other/local' };
    await events.append('local', [event, other, { ...event, reason: 'B' }]);
    const answer = await app.inject({
      url: '/api/v1/clusters/local/events?owner=hello&limit=1',
      headers: ADMIN,
    });
    expect(answer.body).toBe(`${JSON.stringify({ ...event, reason: 'B' })}\n`);
  });

  it('are of clusters that are known', async () => {
    const answer = await app.inject({ url: '/api/v1/clusters/nowhere/events', headers: ADMIN });
    expect(answer.statusCode).toBe(404);
  });
});

describe('clusters', () => {
  it('tells of those that nobody reported on', async () => {
    const answer = await app.inject({ url: '/api/v1/clusters', headers: ADMIN });
    expect(ClusterList.parse(answer.json()).clusters).toEqual([
      { name: 'local', engine: 'docker', declared: true, owners: [], orphans: [] },
      { name: 'fleet', engine: 'swarm', declared: true, owners: [], orphans: [] },
    ]);
  });

  it('asks the controller for a plan', async () => {
    const plan = [{ action: 'create', key: 'ConfigMap/default/a', fields: [] }];
    queue.answerWith(() => ({ plan }));
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/plan',
      headers: ADMIN,
      payload: { pipeline: 'hello', entry: 'local', manifests: { 'deploy/a.yaml': MAP } },
    });
    expect(answer.json()).toEqual({ entry: 'local', cluster: 'local', plan });
    expect(queue.requests).toMatchObject([
      { queue: 'cluster-local', name: 'plan', payload: { owner: 'hello/local' } },
    ]);
  });

  it('asks the controller what losing servers would do', async () => {
    const quorum = { managers: 3, needed: 2, before: 3, after: 1, holds: false };
    const loss = { lost: [], quorum, services: [], servers: [] };
    queue.answerWith(() => loss);
    const url = '/api/v1/clusters/local/simulate';
    const answer = await app.inject({ url: `${url}?lose=s1,s2`, headers: ADMIN });
    expect(answer.json()).toEqual(loss);
    expect(queue.requests).toEqual([
      { queue: 'cluster-local', name: 'simulate', payload: { lose: ['s1', 's2'] } },
    ]);
    for (const query of ['', '?lose=', '?lose=s1,,s2', '?lose=s1&loose=s2']) {
      const { statusCode } = await app.inject({ url: `${url}${query}`, headers: ADMIN });
      expect(statusCode).toBe(400);
    }
  });

  it('spreads anew only what is uneven', async () => {
    queue.answerWith(() => ({ uneven: [] }));
    const url = '/api/v1/clusters/local/rebalance';
    const told = await app.inject({ url, headers: ADMIN });
    expect(told.json()).toEqual({ uneven: [] });
    const payload = { services: ['Deployment/default/web'] };
    const refused = await app.inject({ method: 'POST', url, headers: ADMIN, payload });
    expect(refused.statusCode).toBe(409);
  });
});

it('tells what repositories declare that cannot be read', async () => {
  const declared = declarations.pipelines['hello'];
  await mkdir(join(folder, 'blog.git'));
  await mkdir(join(folder, 'wiki.git'));
  await writeFile(join(folder, 'file.git'), '');
  const file = join(folder, 'blog.git', 'windlass-pipeline.json');
  await writeFile(
    file,
    JSON.stringify({ ...declared, spec: { ...declared?.spec, colour: 'red' } }),
  );
  const answer = await app.inject({ url: '/api/v1/problems', headers: ADMIN });
  expect(answer.json()).toEqual({
    problems: [
      {
        of: 'declaration',
        pipeline: 'blog',
        message: expect.stringContaining('colour'),
        since: expect.any(Number),
      },
    ],
  });
});

describe('servers', () => {
  it('are those of a fleet', async () => {
    const [known, alone] = await Promise.all(
      ['fleet', 'local'].map((name) =>
        app.inject({ url: `/api/v1/clusters/${name}/servers`, headers: ADMIN }),
      ),
    );
    expect(known?.json()).toEqual({ cluster: 'fleet', servers: [], problems: [] });
    expect(alone?.json()).toMatchObject({ error: { code: 'unsupported' } });
  });

  it.each([
    [{ from: 's1' }, 'plan', false],
    [{ from: 's1', confirmed: true }, 'do', true],
  ])('are recovered by a word: %j', async (payload, how, done) => {
    queue.answerWith(() => ({ from: 's1', does: ['it goes on alone'] }));
    const url = '/api/v1/clusters/fleet/servers/recover';
    const answer = await app.inject({ method: 'POST', url, headers: ADMIN, payload });
    expect(answer.json()).toEqual({
      cluster: 'fleet',
      from: 's1',
      does: ['it goes on alone'],
      done,
    });
    expect(queue.requests).toMatchObject([
      { queue: 'cluster-fleet', name: 'recover', payload: { from: 's1', how, who: 'admin' } },
    ]);
  });
});

it('has every route that its document tells of', async () => {
  const answer = await app.inject({ url: '/api/v1/openapi.json', headers: ADMIN });
  const { paths } = answer.json<{ paths: Record<string, Record<string, unknown>> }>();
  const missing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .map((method) => ({
        method: method.toUpperCase() as 'GET',
        url: `/api/v1${path.replace(/\{(\w+)\}/g, ':$1')}`,
      }))
      .filter((route) => !app.hasRoute(route)),
  );
  expect(Object.keys(paths).length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});
