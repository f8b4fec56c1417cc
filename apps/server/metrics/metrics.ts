import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ClusterPulse, QueueDepths, RunStore, SharedState } from '#core/ports.ts';
import { BUILD_QUEUE, clusterQueue } from '#core/queue/jobs.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

/** Runs whose end was counted are remembered, since the news of it may come again. */
const MOST_COUNTED = 10_000;
/** Seconds: of builds that are cached, and of those that take half an hour. */
/** Some beats of a deploy worker. */
const SILENT_MS = 60_000;
const BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800];

/** What the server knows, in the form of Prometheus. Counters begin at the start of the server. */
export interface Metrics {
  contentType: string;
  text(): Promise<string>;
  /** Counts runs that end, until aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

interface MetricsDependencies {
  runs: Pick<RunStore, 'unfinished' | 'follow'>;
  queue: QueueDepths;
  shared: Pick<SharedState, 'clusterStatus' | 'clusterPulse'>;
  clusters: () => readonly string[];
  now: () => number;
}

export function createMetrics(dependencies: MetricsDependencies): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const ended = new Counter({
    name: 'windlass_runs_ended_total',
    help: 'Runs that ended, by how',
    labelNames: ['pipeline', 'state'],
    registers,
  });
  const durations = new Histogram({
    name: 'windlass_run_duration_seconds',
    help: 'From the start of a run to its end',
    labelNames: ['pipeline', 'state'],
    buckets: BUCKETS,
    registers,
  });
  const waits = new Histogram({
    name: 'windlass_run_wait_seconds',
    help: 'From the record of a run to its start',
    buckets: BUCKETS,
    registers,
  });
  const steps = new Histogram({
    name: 'windlass_step_duration_seconds',
    help: 'Steps of runs by their first word: clone, test, build, push, render, release, deploy',
    labelNames: ['step', 'state'],
    buckets: BUCKETS,
    registers,
  });
  const live = createLiveMetrics(registers, dependencies);
  const counted = new Set<string>();

  /** Two who ask at once share one answer: while it is made, some of it is empty. */
  let reading: Promise<string> | undefined;

  async function read(): Promise<string> {
    await live.collect();
    return registry.metrics();
  }

  function count(run: Run): void {
    if (!isFinished(run) || counted.has(run.id)) return;
    counted.add(run.id);
    const [first] = counted;
    if (counted.size > MOST_COUNTED && first !== undefined) counted.delete(first);
    const { pipeline, state, createdAt, startedAt, endedAt } = run;
    ended.inc({ pipeline, state });
    if (startedAt === undefined || endedAt === undefined) return;
    durations.observe({ pipeline, state }, seconds(startedAt, endedAt));
    waits.observe(seconds(createdAt, startedAt));
    for (const step of run.steps) {
      if (step.startedAt === undefined || step.endedAt === undefined) continue;
      const labels = { step: step.name.split(' ')[0] ?? '', state: step.state };
      steps.observe(labels, seconds(step.startedAt, step.endedAt));
    }
  }

  return {
    contentType: registry.contentType,
    text() {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    watch: (signal) =>
      dependencies.runs.follow(
        undefined,
        (news) => {
          if (news.kind === 'run') count(news.run);
        },
        signal,
      ),
  };
}

/** What is read when somebody asks. */
function createLiveMetrics(
  registers: Registry[],
  { runs, queue, shared, clusters, now }: MetricsDependencies,
): { collect(): Promise<void> } {
  function gauge<Label extends string>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Gauge<Label> {
    return new Gauge({ name: `windlass_${name}`, help, labelNames, registers });
  }
  const unfinished = gauge('runs_unfinished', 'Runs that wait or go on', 'state');
  const jobs = gauge('queue_jobs', 'Jobs of a queue', 'queue', 'state');
  const oldest = gauge(
    'queue_oldest_waiting_seconds',
    'For how long the oldest job waits that could begin; 0 where none does',
    'queue',
  );
  const workers = gauge('queue_workers', 'Processes that take jobs of a queue', 'queue');
  const silent = gauge(
    'deploy_worker_silent_seconds',
    'Since when no deploy worker that controls a cluster gave a sign of life',
    'cluster',
  );
  const reconciled = gauge(
    'cluster_reconcile_age_seconds',
    'Since when a cluster was not looked at and made as in git with success',
    'cluster',
  );
  const up = gauge(
    'cluster_up',
    'Whether a deploy worker controls a cluster and reaches it',
    'cluster',
  );
  const corrections = new Counter({
    name: 'windlass_drift_corrections_total',
    help: 'Changes of what served as in git, without a release; begins with its controller',
    labelNames: ['cluster', 'pipeline', 'entry'],
    registers,
  });
  const serving = gauge(
    'deployment_serving',
    'Whether what is deployed is as in git and serves',
    'cluster',
    'pipeline',
    'entry',
  );
  const suspended = gauge(
    'deployment_suspended',
    'Whether somebody suspended a deploy entry',
    'cluster',
    'pipeline',
    'entry',
  );
  const workload = ['cluster', 'owner', 'workload'] as const;
  const desired = gauge('workload_replicas_desired', 'Pods a workload should have', ...workload);
  const ready = gauge(
    'workload_replicas_ready',
    'Pods it has of those that are ready',
    ...workload,
  );
  const pods = gauge('pods', 'Pods of a workload', 'cluster', 'owner', 'workload', 'ready');
  const restarts = gauge(
    'container_restarts',
    'How often containers of the pods there are were restarted',
    'cluster',
    'owner',
    'workload',
  );

  async function collectQueues(): Promise<void> {
    await Promise.all(
      [BUILD_QUEUE, ...clusters().map(clusterQueue)].map(async (name) => {
        const { oldest: since, workers: count, ...depth } = await queue.depth(name);
        workers.set({ queue: name }, count);
        for (const [state, count] of Object.entries(depth)) jobs.set({ queue: name, state }, count);
        oldest.set({ queue: name }, since === undefined ? 0 : seconds(since, now()));
      }),
    );
  }

  async function collectRuns(): Promise<void> {
    const all = await runs.unfinished();
    for (const state of ['queued', 'running'])
      unfinished.set({ state }, all.filter((run) => run.state === state).length);
  }

  async function collectCluster(cluster: string): Promise<void> {
    const [status, pulse] = await Promise.all([
      shared.clusterStatus(cluster),
      shared.clusterPulse(cluster),
    ]);
    const isAlive = pulse !== undefined && now() - pulse.at < SILENT_MS;
    const isReached = status !== undefined && status.error === undefined;
    up.set({ cluster }, isAlive && isReached ? 1 : 0);
    if (pulse !== undefined) collectPulse(cluster, pulse);
    if (status === undefined) return;
    for (const owner of status.owners) {
      const [pipeline = '', entry = ''] = owner.owner.split('/');
      serving.set({ cluster, pipeline, entry }, owner.serving ? 1 : 0);
      suspended.set({ cluster, pipeline, entry }, owner.suspended === undefined ? 0 : 1);
      for (const { key, replicas, pods: own } of owner.resources) {
        const labels = { cluster, owner: owner.owner, workload: key };
        if (replicas !== undefined) {
          desired.set(labels, replicas.desired);
          ready.set(labels, replicas.ready);
        }
        if (own === undefined) continue;
        const readyPods = own.filter((pod) => pod.ready).length;
        pods.set({ ...labels, ready: 'true' }, readyPods);
        pods.set({ ...labels, ready: 'false' }, own.length - readyPods);
        const containers = own.flatMap((pod) => pod.containers);
        restarts.set(
          labels,
          containers.reduce((sum, each) => sum + each.restarts, 0),
        );
      }
    }
  }

  function collectPulse(cluster: string, pulse: ClusterPulse): void {
    silent.set({ cluster }, seconds(pulse.at, now()));
    if (pulse.reconciledAt !== undefined)
      reconciled.set({ cluster }, seconds(pulse.reconciledAt, now()));
    for (const [owner, count] of Object.entries(pulse.corrections)) {
      const [pipeline = '', entry = ''] = owner.split('/');
      corrections.inc({ cluster, pipeline, entry }, count);
    }
  }

  const all = [
    jobs,
    oldest,
    workers,
    silent,
    reconciled,
    up,
    serving,
    suspended,
    desired,
    ready,
    pods,
    restarts,
    corrections,
  ];
  return {
    async collect() {
      // What is gone is told no longer.
      for (const each of all) each.reset();
      await Promise.all([collectQueues(), collectRuns(), ...clusters().map(collectCluster)]);
    },
  };
}

/** Never less than nothing, also where the clock was set back. */
function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1_000;
}
