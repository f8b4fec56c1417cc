import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'bullmq';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { QUEUE_PREFIX } from '#adapters/queue/settings.ts';
import { readTokens } from '#adapters/state/tokens.ts';
import { connectRedis } from '#adapters/store/redis.ts';
import { createRunStore } from '#adapters/store/run-store.ts';
import { createSharedState } from '#adapters/store/shared-state.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import { newRun } from '#core/run/new-run.ts';
import { startRedis } from '../../../test/tools/redis.ts';
import type { Running } from '../../../test/tools/process.ts';
import { startServer } from '../server.ts';
import type { RunningServer } from '../server.ts';

const CLUSTER = `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: local }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;

let folder: string;
let redis: Running & { url: string };
let server: RunningServer;
let store: ReturnType<typeof connectRedis>;
let worker: Worker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windlass-metrics-'));
  redis = await startRedis(join(folder, 'redis'));
  await mkdir(join(folder, 'config', 'pipelines'), { recursive: true });
  await writeFile(join(folder, 'config', 'pipelines', 'all.yaml'), CLUSTER);
  server = await startServer({
    stateDir: join(folder, 'state'),
    listen: '127.0.0.1:0',
    redisUrl: redis.url,
    config: join(folder, 'config'),
    environment: { PATH: process.env['PATH'] },
    log: pino({ level: 'silent' }),
  });
  store = connectRedis(redis.url);
  worker = new Worker(clusterQueue('local'), async () => undefined, {
    connection: store,
    prefix: QUEUE_PREFIX,
  });
  await worker.waitUntilReady();
  await report();
  await runEnds();
});

afterAll(async () => {
  await worker.close();
  await server.close();
  store.disconnect();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What a deploy worker reports. */
async function report(): Promise<void> {
  const container = {
    name: 'web',
    image: 'web',
    state: 'running' as const,
    ready: true,
    restarts: 3,
  };
  const pod = {
    name: 'web-0',
    namespace: 'default',
    owner: 'shop/local',
    ready: true,
    createdAt: 0,
  };
  await createSharedState(store).putClusterPulse('local', {
    at: Date.now(),
    reconciledAt: Date.now(),
    corrections: { 'shop/local': 2 },
  });
  await createSharedState(store).putClusterStatus('local', {
    cluster: 'local',
    controller: 'me',
    at: Date.now(),
    orphans: [],
    owners: [
      {
        owner: 'shop/local',
        release: 'r1',
        plan: [],
        held: [],
        serving: true,
        overrides: [],
        resources: [
          {
            key: 'Deployment/default/web',
            health: { status: 'Healthy', reason: '' },
            summary: '',
            replicas: { desired: 2, ready: 1 },
            pods: [{ ...pod, containers: [container] }],
          },
        ],
      },
    ],
  });
}

async function runEnds(): Promise<void> {
  const runs = createRunStore(store);
  const trigger = {
    kind: 'push',
    ref: 'refs/heads/main',
    after: 'a'.repeat(40),
    who: 'ann',
  } as const;
  const at = Date.now();
  const run = newRun({ id: 'r1', pipeline: 'shop', spec: PipelineSpec.parse({}), trigger, at });
  await runs.record([{ runs: [run] }]);
  await runs.apply('r1', { kind: 'started', at: at + 1 });
  await runs.apply('r1', { kind: 'step', step: 'clone', state: 'running', at: at + 1 });
  await runs.apply('r1', { kind: 'step', step: 'clone', state: 'succeeded', at: at + 2_001 });
  await runs.apply('r1', { kind: 'failed', reason: 'no', at: at + 2_001 });
}

async function read(token: string): Promise<Response> {
  return fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
}

/** As git begins a clone or a push; the token is the password. */
async function openRepository(
  name: string,
  what: 'upload' | 'receive',
  token: string,
): Promise<number> {
  const authorization = `Basic ${Buffer.from(`x:${token}`).toString('base64')}`;
  const url = `${server.url}/git/${name}.git/info/refs?service=git-${what}-pack`;
  const response = await fetch(url, { headers: { authorization } });
  await response.arrayBuffer();
  return response.status;
}

async function metricsToken(): Promise<string> {
  return (await readTokens(join(folder, 'state'))).metrics ?? '';
}

it('are for who has their token, which opens nothing else', async () => {
  const token = await metricsToken();
  expect((await read('wrong')).status).toBe(401);
  expect((await read(server.workerToken)).status).toBe(401);
  expect((await read(server.adminToken)).status).toBe(200);
  expect((await read(token)).headers.get('content-type')).toContain('version=0.0.4');
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`${server.url}/api/v1/runs`, { headers })).status).toBe(401);
  expect((await fetch(`${server.url}/queues/`, { headers })).status).toBe(401);
  expect((await fetch(`${server.url}/internal/v1/identity`, { headers })).status).toBe(401);
});

it('have a token that opens no repository, whichever it is and whether there is one', async () => {
  const token = await metricsToken();
  expect(await openRepository('shop', 'receive', server.adminToken)).toBe(200);
  expect(await openRepository('shop', 'upload', server.workerToken)).toBe(200);
  for (const name of ['shop', 'config', 'releases/shop', 'none'])
    expect(await openRepository(name, 'upload', token)).toBe(403);
  expect(await openRepository('shop', 'receive', token)).toBe(403);
  expect(await openRepository('shop', 'upload', 'wrong')).toBe(401);
});

it('tell of runs, queues, clusters and pods', async () => {
  const token = await metricsToken();
  await vi.waitFor(async () => {
    const lines = (await (await read(token)).text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'windlass_runs_ended_total{pipeline="shop",state="failed"} 1',
        'windlass_run_duration_seconds_sum{pipeline="shop",state="failed"} 2',
        'windlass_step_duration_seconds_sum{step="clone",state="succeeded"} 2',
        'windlass_runs_unfinished{state="running"} 0',
        'windlass_queue_jobs{queue="build",state="active"} 0',
        'windlass_queue_oldest_waiting_seconds{queue="cluster-local"} 0',
        'windlass_queue_workers{queue="cluster-local"} 1',
        'windlass_queue_workers{queue="build"} 0',
        'windlass_drift_corrections_total{cluster="local",pipeline="shop",entry="local"} 2',
        'windlass_workload_replicas_desired{cluster="local",owner="shop/local",workload="Deployment/default/web"} 2',
        'windlass_workload_replicas_ready{cluster="local",owner="shop/local",workload="Deployment/default/web"} 1',
        'windlass_cluster_up{cluster="local"} 1',
        'windlass_deployment_serving{cluster="local",pipeline="shop",entry="local"} 1',
        'windlass_pods{cluster="local",owner="shop/local",workload="Deployment/default/web",ready="true"} 1',
        'windlass_container_restarts{cluster="local",owner="shop/local",workload="Deployment/default/web"} 3',
      ]),
    );
  });
});

it('are those that the example board and alerts ask for', async () => {
  const names = new Set(
    (await (await read(await metricsToken())).text())
      .split('\n')
      .flatMap((line) => /^([a-z_0-9]+)[{ ]/.exec(line)?.[1] ?? []),
  );
  for (const file of ['grafana-board.json', 'windlass-alerts.yml']) {
    const text = await readFile(`packaging/monitoring/${file}`, 'utf8');
    const asked = text.match(/\b(windlass|process|nodejs)_[a-z0-9_]+/g) ?? [];
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((name) => !names.has(name))).toEqual([]);
  }
});
