import { Redis } from 'ioredis';
import { pino } from 'pino';
import { createMemoryEventStore } from '#adapters/fake/event-store.ts';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { ATTEMPTS } from '#adapters/queue/settings.ts';
import { pruneGuard } from '#core/declarations/cluster.ts';
import type { Engine } from '#core/engine.ts';
import type { RunStore, ServerApi, SharedState } from '#core/ports.ts';
import { BUILD_QUEUE, clusterQueue } from '#core/queue/jobs.ts';
import { isFinished } from '#core/run/run.ts';
import { isBuilt } from '#core/run/transition.ts';
import { createOrchestrator } from '../../apps/server/orchestrator.ts';
import type { Orchestrator, OrchestratorDependencies } from '../../apps/server/orchestrator.ts';
import { processJob } from '../../workers/deploy/cluster-worker.ts';
import type { JobContext } from '../../workers/deploy/cluster-worker.ts';
import { createController } from '../../workers/deploy/controller.ts';
import { followServer } from '../../workers/deploy/follow-server.ts';
import { createHealthyMarks } from '../../workers/deploy/healthy-marks.ts';
import type { Commits } from './commits.ts';
import { through } from './interleaving.ts';
import type { Process } from './interleaving.ts';
import type { MemoryQueue, TakenJob } from './memory-queue.ts';
import { cluster, CLUSTER, pipeline } from './shop.ts';

const SWEEP_MS = 60_000;
const log = pino({ level: 'silent' });

/** The orchestrator as it is, swept again and again. */
export function startServer(
  process: Process,
  ports: Pick<OrchestratorDependencies, 'runs' | 'queue' | 'releases'> & { commits: Commits },
): Orchestrator {
  const orchestrator = createOrchestrator({
    ...ports,
    repositories: { open: () => ({ resolve: async () => ports.commits.head() }) },
    pipelines: {
      all: async () => [{ pipeline, declaredIn: 'configuration' }],
      find: async () => undefined,
    },
    now: Date.now,
    log,
  });
  async function sweepOn(): Promise<never> {
    for (;;) {
      await orchestrator.sweep();
      await pause(SWEEP_MS);
      await process.turn();
    }
  }
  void orchestrator.watch(new AbortController().signal);
  void sweepOn();
  return orchestrator;
}

/** A build as the order of its reports. */
export function startBuildWorker(
  process: Process,
  { runs, server, queue, commits }: BuildPorts & { queue: MemoryQueue },
): void {
  void queue.serve(BUILD_QUEUE, process, ({ payload }) =>
    build(payload['runId'] ?? '', { runs, server, commits }),
  );
}

interface BuildPorts {
  runs: RunStore;
  server: ServerApi;
  commits: Commits;
}

async function build(id: string, { runs, server, commits }: BuildPorts): Promise<void> {
  const run = await runs.get(id);
  if (run === undefined || isFinished(run) || isBuilt(run)) return;
  await runs.apply(id, { kind: 'started', at: Date.now() });
  await runs.apply(id, { kind: 'step', step: 'build web', state: 'running', at: Date.now() });
  if (commits.qualityOf(run.commit) === 'does not build') {
    await runs.apply(id, { kind: 'failed', reason: 'it does not build', at: Date.now() });
    return;
  }
  await server.storeRendered(id, [], new AbortController().signal);
  await runs.apply(id, { kind: 'rendered', at: Date.now() });
}

/** The controller and the jobs of the cluster's queue as they are. */
export function startDeployWorker(
  process: Process,
  { queue, shared, ...ports }: DeployPorts & { queue: MemoryQueue; shared: SharedState },
): void {
  const never = new AbortController().signal;
  const recorder = { passed: () => undefined, tell: () => undefined };
  const marks = createHealthyMarks({ server: ports.server, now: Date.now, log }, never);
  const controller = createController({
    cluster: CLUSTER,
    engine: through(process, ports.engine),
    guard: pruneGuard(cluster),
    intervalMs: SWEEP_MS,
    publish: async () => undefined,
    events: { ...recorder, passed: ({ owners }) => marks.passed(owners) },
    now: Date.now,
    log,
  });
  const context: JobContext = {
    ...ports,
    server: marks.server,
    redis: new Redis({ lazyConnect: true }),
    events: createMemoryEventStore(),
    log,
    controller,
    recorder,
    dialTunnel: () => Promise.reject(new Error('nobody forwards ports here')),
    oneAtATime: createKeyedLock(),
    deploys: new Map(),
  };
  async function control(): Promise<never> {
    const following = await followServer(CLUSTER, controller, { ...context, shared }, never);
    void Promise.all(following);
    void controller.run(never);
    return queue.serve(clusterQueue(CLUSTER), process, async (job) => {
      await processJob(asJob(job), undefined, context, never);
    });
  }
  void control();
}

interface DeployPorts {
  runs: RunStore;
  server: ServerApi;
  engine: Engine;
}

function asJob({ name, payload, attemptsMade }: TakenJob): Parameters<typeof processJob>[0] {
  return {
    name,
    data: payload,
    attemptsMade,
    opts: { attempts: ATTEMPTS },
    moveToDelayed: async () => undefined,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
