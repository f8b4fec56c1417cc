import { DelayedError, UnrecoverableError, Worker } from 'bullmq';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import type { KeyedLock } from '#adapters/git/keyed-lock.ts';
import { LOCK_MS, MAX_STALLED, QUEUE_PREFIX, STALLED_CHECK_MS } from '#adapters/queue/settings.ts';
import { isRefusal } from '#adapters/store/redis.ts';
import { writeStream } from '#adapters/store/stream.ts';
import { troubleListener } from '#adapters/store/trouble.ts';
import { pruneGuard } from '#core/declarations/cluster.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import type { Engine } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { EventStore, RunStore, ServerApi, SharedState } from '#core/ports.ts';
import { clusterQueue, jobs } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import { isFinished } from '#core/run/run.ts';
import { simulateLoss } from '#core/swarm/simulate/lose.ts';
import { planRebalance } from '#core/swarm/simulate/rebalance.ts';
import { createController } from './controller.ts';
import type { Controller } from './controller.ts';
import { readDesired } from './desired.ts';
import { followServer } from './follow-server.ts';
import { createHealthyMarks } from './healthy-marks.ts';
import { openTunnel } from './open-tunnel.ts';
import type { DialTunnel } from './open-tunnel.ts';
import { startPulse } from './pulse.ts';
import { createEventRecorder } from './record-events.ts';
import type { EventRecorder } from './record-events.ts';
import { runDeploy, WindowClosed } from './run-deploy.ts';

const DEPLOYS_AT_ONCE = 32;

export interface ClusterWorkerDependencies {
  redis: Redis;
  runs: RunStore;
  shared: SharedState;
  events: EventStore;
  dialTunnel: DialTunnel;
  server: ServerApi;
  createEngine: (controlled: Controlled) => Promise<Engine>;
  /** This worker's name, as the cluster's status and lease show it. */
  holder: string;
  log: Logger;
}

export interface Controlled {
  cluster: Cluster;
  /** It is declared no longer: what is on it is told of, and removed where somebody says so. */
  retired: boolean;
}

/** Controls one cluster until aborted: its loop, and the jobs of its queue. The caller holds the cluster's lease. */
export async function controlCluster(
  { cluster, retired }: Controlled,
  dependencies: ClusterWorkerDependencies,
  stop: AbortSignal,
): Promise<void> {
  const { redis, shared, events, holder, log } = dependencies;
  const { name } = cluster.metadata;
  const last = await shared.clusterStatus(name);
  const engine = await dependencies.createEngine({ cluster, retired });
  const recorder = createEventRecorder({
    append: (told) => events.append(name, told),
    last,
    now: Date.now,
    log,
  });
  const pulse = startPulse({
    put: (beat) => shared.putClusterPulse(name, beat),
    last,
    now: Date.now,
    log,
  });
  const marks = createHealthyMarks(
    { server: dependencies.server, now: () => performance.now(), log },
    stop,
  );
  const controller = createController({
    cluster: name,
    engine,
    guard: pruneGuard(cluster),
    intervalMs: cluster.spec.reconcile.intervalSeconds * 1_000,
    publish: (status) =>
      shared.putClusterStatus(name, {
        ...status,
        controller: holder,
        ...(retired ? { retired } : {}),
      }),
    events: {
      ...recorder,
      passed(status, done, steps) {
        recorder.passed(status, done, steps);
        pulse.passed(status, done);
        if (status.error === undefined) marks.passed(status.owners);
      },
    },
    now: Date.now,
    log,
  });
  const context = {
    ...dependencies,
    server: marks.server,
    controller,
    engine,
    recorder,
    oneAtATime: createKeyedLock(),
    deploys: new Map<string, Promise<void>>(),
  };
  // BullMQ ends only those connections that it has made itself.
  const connection = redis.duplicate();
  const onTrouble = troubleListener(log, Date.now);
  connection.on('error', onTrouble);
  try {
    const following = await followServer(name, controller, context, stop);
    stop.throwIfAborted();
    const worker = new Worker(
      clusterQueue(name),
      (job, token) => processJob(job, token, context, stop),
      {
        connection,
        prefix: QUEUE_PREFIX,
        concurrency: DEPLOYS_AT_ONCE,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: MAX_STALLED,
      },
    );
    worker.on('error', onTrouble);
    log.info({ cluster: name }, 'cluster under control');
    await controller.run(stop);
    await worker.close();
    await Promise.all(following);
  } finally {
    pulse.close();
    connection.disconnect();
    await engine.close();
  }
}

type ClusterJob = Pick<Job, 'name' | 'data' | 'attemptsMade' | 'opts' | 'moveToDelayed'>;

export interface JobContext extends Omit<
  ClusterWorkerDependencies,
  'createEngine' | 'shared' | 'holder'
> {
  controller: Controller;
  engine: Engine;
  recorder: EventRecorder;
  oneAtATime: KeyedLock;
  /** Those under way, by run and entry. */
  deploys: Map<string, Promise<void>>;
}

/** Does one job of the cluster's queue; rejects as BullMQ is to go on with it. */
export async function processJob(
  job: ClusterJob,
  token: string | undefined,
  context: JobContext,
  stop: AbortSignal,
): Promise<unknown> {
  try {
    switch (job.name) {
      case 'deploy':
        return await deploy(job, context, stop);
      case 'plan':
        return await plan(job, context, stop);
      case 'find':
        return { found: await context.engine.find(jobs.find.parse(job.data).reference, stop) };
      case 'running':
        return await tellRunning(job, context, stop);
      case 'plan-servers': {
        const { servers } = jobs['plan-servers'].parse(job.data);
        return { fleet: await context.engine.planServers(servers, stop) };
      }
      case 'recover':
        return await recover(job, context, stop);
      case 'simulate':
        return simulateLoss(await context.engine.fleet(stop), jobs.simulate.parse(job.data).lose);
      case 'rebalance':
        return { uneven: planRebalance(await context.engine.fleet(stop)) };
      case 'tunnel':
        return await openTunnel(jobs.tunnel.parse(job.data), context, stop);
      case 'logs':
        return streamLogs(job, context, stop);
      default:
        throw new UnrecoverableError(`a job named ${job.name} is not known here`);
    }
  } catch (error) {
    if (stop.aborted) {
      // Handed back: the next holder of the lease goes on with it.
      await job.moveToDelayed(Date.now(), token);
      throw new DelayedError();
    }
    if (error instanceof WindowClosed) {
      await job.moveToDelayed(error.lookAt, token);
      throw new DelayedError();
    }
    throw await asJobError(job, error, context);
  }
}

/**
 * A job that lost its lock, as with Redis away for longer than that lasts, is given to this process once more: it is the
 * same deploy, and ends with it. Ending the first call instead would have BullMQ no longer renew the second one's lock.
 */
function deploy(job: ClusterJob, context: JobContext, stop: AbortSignal): Promise<void> {
  const payload = jobs.deploy.parse(job.data);
  const { deploys } = context;
  const key = `${payload.runId} ${payload.entry}`;
  const underWay = deploys.get(key);
  if (underWay !== undefined) return underWay;
  const begun = deployOnce(payload, context, stop).finally(() => deploys.delete(key));
  deploys.set(key, begun);
  return begun;
}

async function deployOnce(
  payload: JobPayload<'deploy'>,
  context: JobContext,
  stop: AbortSignal,
): Promise<void> {
  const cancelled = new AbortController();
  const listening = new AbortController();
  const followed = context.runs.follow(
    payload.runId,
    (news) => {
      if (news.kind === 'run' && (news.run.cancelRequested || isFinished(news.run))) {
        cancelled.abort(new UserError('cancelled', 'the run was cancelled'));
      }
    },
    listening.signal,
  );
  try {
    await runDeploy(payload, { ...context, now: Date.now }, cancelled.signal, stop);
  } finally {
    listening.abort();
    await followed;
  }
}

async function tellRunning(
  job: ClusterJob,
  { engine, server }: JobContext,
  stop: AbortSignal,
): Promise<unknown> {
  const { id, wanted } = jobs.running.parse(job.data);
  await server.answer(id, { containers: await engine.running(wanted, stop) }, stop);
  return {};
}

async function plan(
  job: ClusterJob,
  { server, controller }: JobContext,
  stop: AbortSignal,
): Promise<unknown> {
  const { owner, manifests } = jobs.plan.parse(job.data);
  const desired = await readDesired(owner, 'plan', () => server.open(manifests, stop));
  return { plan: await controller.plan(desired, stop) };
}

async function recover(
  job: ClusterJob,
  { controller }: JobContext,
  stop: AbortSignal,
): Promise<unknown> {
  const { from, how, who } = jobs.recover.parse(job.data);
  const { does } = await controller.recover(from, how, who, stop);
  return { from, does };
}

/** Answers at once; the lines go out beside the queue, for as long as somebody reads. */
function streamLogs(job: ClusterJob, { redis, engine, log }: JobContext, stop: AbortSignal): void {
  const { stream, namespace, workload, container, follow, tail } = jobs.logs.parse(job.data);
  const target = { namespace, workload, ...(container === undefined ? {} : { container }) };
  const options = { follow, ...(tail === undefined ? {} : { tail }) };
  writeStream(redis, stream, (signal) => engine.logs(target, options, signal), stop).catch(
    (error: unknown) => log.warn({ workload, err: error }, 'log stream broke'),
  );
}

function mayPass(error: unknown): error is Error {
  return error instanceof UserError ? error.transient : isRefusal(error);
}

/** Only what may pass by itself is tried again; all else ends the run with its reason. */
async function asJobError(
  job: ClusterJob,
  error: unknown,
  { runs, log }: JobContext,
): Promise<Error> {
  const last = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  if (!last && mayPass(error)) return error;
  if (job.name === 'deploy') {
    const { runId, entry } = jobs.deploy.parse(job.data);
    if (!(error instanceof UserError)) log.error({ run: runId, err: error }, 'deploy broke');
    await runs.apply(runId, {
      kind: 'deploy-failed',
      entry,
      reason: messageOf(error),
      at: Date.now(),
    });
  }
  const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
  return new UnrecoverableError(`${messageOf(error)}${job.name === 'deploy' ? '' : hint}`);
}
