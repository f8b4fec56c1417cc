import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMemoryEventStore } from '#adapters/fake/event-store.ts';
import { createMemoryRunStore } from '#adapters/fake/run-store.ts';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { ATTEMPTS } from '#adapters/queue/settings.ts';
import { pruneGuard } from '#core/declarations/cluster.ts';
import type { Engine } from '#core/engine.ts';
import type { RunStore } from '#core/ports.ts';
import { newRun } from '#core/run/new-run.ts';
import { createMemoryEngine } from '../../test/schedules/memory-engine.ts';
import { createMemoryReleases } from '../../test/schedules/memory-releases.ts';
import type { MemoryReleases } from '../../test/schedules/memory-releases.ts';
import { cluster, CLUSTER, PIPELINE, pipeline } from '../../test/schedules/shop.ts';
import { processJob } from './cluster-worker.ts';
import type { JobContext } from './cluster-worker.ts';
import { createController } from './controller.ts';

let end = new AbortController();
const log = pino({ level: 'silent' });
beforeEach(() => {
  end = new AbortController();
});
afterEach(() => end.abort());

interface World {
  runs: RunStore;
  releases: MemoryReleases;
  context: JobContext;
  /** What it has by then comes to serve. */
  serve: (source: string) => void;
}

function createWorld(): World {
  const runs = createMemoryRunStore();
  const releases = createMemoryReleases(runs, { pipeline: PIPELINE, entry: CLUSTER });
  const sound = new Set<string>();
  const engine = asSlow(createMemoryEngine((source) => sound.has(source)));
  const recorder = { passed: () => undefined, tell: () => undefined };
  const controller = createController({
    cluster: CLUSTER,
    engine,
    guard: pruneGuard(cluster),
    intervalMs: 10,
    publish: async () => undefined,
    events: recorder,
    now: Date.now,
    log,
  });
  controller.declare([`${PIPELINE}/${CLUSTER}`]);
  void controller.run(end.signal);
  return {
    runs,
    releases,
    context: {
      runs,
      server: releases,
      engine,
      controller,
      recorder,
      redis: new Redis({ lazyConnect: true }),
      events: createMemoryEventStore(),
      dialTunnel: () => Promise.reject(new Error('nobody forwards ports here')),
      oneAtATime: createKeyedLock(),
      deploys: new Map(),
      log,
    },
    serve: (source) => void sound.add(source),
  };
}

/** What is not sound yet is on its way. */
function asSlow(engine: Engine): Engine {
  return {
    ...engine,
    async reconcile(desired, signal) {
      const { owners, ...rest } = await engine.reconcile(desired, signal);
      return { ...rest, owners: owners.map(({ failure: _failure, ...status }) => status) };
    },
  };
}

async function record({ runs, releases }: World, id: string, commit: string): Promise<void> {
  const trigger = { kind: 'push', ref: 'refs/heads/main', before: '', after: commit, who: 'ada' };
  const at = Date.now();
  const run = newRun({
    id,
    pipeline: PIPELINE,
    spec: pipeline.spec,
    trigger: trigger as never,
    at,
  });
  await runs.record([{ runs: [run] }]);
  await runs.apply(id, { kind: 'started', at });
  await runs.apply(id, { kind: 'rendered', at });
  await releases.storeRendered(id, [], end.signal);
}

function deploy({ context }: World, runId: string): Promise<unknown> {
  const job = {
    name: 'deploy',
    data: { runId, entry: CLUSTER },
    attemptsMade: 0,
    opts: { attempts: ATTEMPTS },
    moveToDelayed: async () => undefined,
  };
  return processJob(job, undefined, context, end.signal);
}

it('goes on with a deploy that it is given once more, and takes nothing back', async () => {
  const world = createWorld();
  const { runs, releases, serve } = world;
  serve('c1');
  await record(world, '1', 'c1');
  await deploy(world, '1');
  await record(world, '2', 'c2');
  const first = deploy(world, '2');
  await vi.waitFor(() => expect(world.context.engine).toMatchObject({ applied: ['c1', 'c2'] }));
  const second = deploy(world, '2');
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  expect(await runs.get('2')).toMatchObject({ state: 'running' });
  serve('c2');
  await Promise.all([first, second]);
  expect(await runs.get('2')).toMatchObject({ state: 'succeeded' });
  expect(releases.commits.map(({ source }) => source)).toEqual(['c1', 'c2']);
  expect(releases.healthy).toBe(releases.commits[1]?.commit);
  expect(world.context.deploys.size).toBe(0);
});

it('takes nothing back that whoever had the deploy before has brought to its end', async () => {
  const world = createWorld();
  const { runs, releases, serve } = world;
  serve('c1');
  await record(world, '1', 'c1');
  await deploy(world, '1');
  await record(world, '2', 'c2');
  const deployed = deploy(world, '2');
  await vi.waitFor(() => expect(world.context.engine).toMatchObject({ applied: ['c1', 'c2'] }));
  await runs.apply('2', { kind: 'deployed', entry: CLUSTER, held: [], at: Date.now() });
  await deployed;
  expect(releases.commits.map(({ source }) => source)).toEqual(['c1', 'c2']);
});

it('leaves a deploy to the queue that Redis refused a command for', async () => {
  const world = createWorld();
  const { context, runs } = world;
  await record(world, '1', 'c1');
  const refusal = Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' });
  const refused = { ...runs, get: () => Promise.reject(refusal) };
  await expect(deploy({ ...world, context: { ...context, runs: refused } }, '1')).rejects.toBe(
    refusal,
  );
  expect(await runs.get('1')).toMatchObject({ state: 'running' });
});
