import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { StreamMessage } from '#adapters/store/stream.ts';
import { RunningAnswer, RunningQuery } from '#core/adopt/running-container.ts';
import type { ForgetAnswer } from '#core/api/by-hand.ts';
import { workloadKey, WorkloadLogQuery } from '#core/api/cluster.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import { LossAnswer, RebalancePlan, RebalanceRequest, SimulateQuery } from '#core/api/fleet.ts';
import { UserError } from '#core/errors.ts';
import type { JobQueue, SharedState } from '#core/ports.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import type { ByHandActions } from '../by-hand/by-hand.ts';
import type { DirectAnswers } from '../direct-answers.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { closedSignal, openLineStream } from '../line-stream.ts';
import type { LineStream } from '../line-stream.ts';
import { readInput } from '../read-input.ts';
import { noteOf } from './by-hand.ts';
import { knownCluster } from './known-cluster.ts';

const NamePath = z.object({ name: z.string() });
const ANSWER_MS = 20_000;
/** So long an error may take that is told as an answer of its own, instead of in the middle of one. */
const FIRST_MESSAGE_MS = 1_000;

type ReadStream = (
  id: string,
  handlers: { onReady: () => Promise<void>; onMessage: (message: StreamMessage) => void },
  signal: AbortSignal,
) => Promise<void>;

export interface ClusterDependencies {
  pipelines: KnownPipelines;
  shared: SharedState;
  queue: JobQueue;
  readStream: ReadStream;
  answers: Pick<DirectAnswers, 'expect'>;
  byHand: Pick<ByHandActions, 'rebalance'>;
}

/** Clusters as their controllers last reported them, and the logs of what runs there. */
export async function clusterRoutes(
  app: FastifyInstance,
  dependencies: ClusterDependencies,
): Promise<void> {
  const { pipelines, shared } = dependencies;

  async function view(name: string): Promise<ClusterView> {
    const engine = pipelines.allClusters()[name]?.spec.engine ?? '';
    const declared = Object.hasOwn(pipelines.clusters(), name);
    const status = await shared.clusterStatus(name);
    if (status === undefined) return { name, engine, declared, owners: [], orphans: [] };
    const { controller, at, owners, orphans, fleet, error } = status;
    return {
      name,
      engine,
      controller,
      at,
      declared,
      owners,
      orphans,
      ...(fleet === undefined ? {} : { fleet }),
      ...(error === undefined ? {} : { error }),
    };
  }

  async function planOf(cluster: string): Promise<RebalancePlan> {
    const payload: JobPayload<'rebalance'> = {};
    const queue = clusterQueue(cluster);
    return RebalancePlan.parse(
      await dependencies.queue.request(queue, 'rebalance', payload, ANSWER_MS),
    );
  }

  app.get('/clusters', async () => ({
    clusters: await Promise.all(Object.keys(pipelines.allClusters()).map(view)),
  }));
  app.get('/clusters/:name/workloads', async (request) =>
    view(knownCluster(pipelines, request.params)),
  );
  app.post('/clusters/:name/forget', async (request): Promise<ForgetAnswer> => {
    const { name } = readInput(NamePath, request.params);
    await pipelines.forgetCluster(name);
    return { forgotten: name };
  });
  app.post('/clusters/:name/running', async (request): Promise<RunningAnswer> => {
    const cluster = knownCluster(pipelines, request.params);
    const wanted = readInput(RunningQuery, request.body);
    const answer = dependencies.answers.expect();
    try {
      const payload: JobPayload<'running'> = { id: answer.id, wanted };
      await dependencies.queue.request(clusterQueue(cluster), 'running', payload, ANSWER_MS);
      return RunningAnswer.parse(answer.body());
    } finally {
      answer.forget();
    }
  });
  app.get('/clusters/:name/simulate', async (request): Promise<LossAnswer> => {
    const cluster = knownCluster(pipelines, request.params);
    const { lose } = readInput(SimulateQuery, request.query);
    const payload: JobPayload<'simulate'> = { lose: lose.split(',') };
    const queue = clusterQueue(cluster);
    return LossAnswer.parse(
      await dependencies.queue.request(queue, 'simulate', payload, ANSWER_MS),
    );
  });
  app.get('/clusters/:name/rebalance', async (request) =>
    planOf(knownCluster(pipelines, request.params)),
  );
  app.post('/clusters/:name/rebalance', async (request): Promise<RebalancePlan> => {
    const cluster = knownCluster(pipelines, request.params);
    const { services, reason } = readInput(RebalanceRequest, request.body);
    const { uneven } = await planOf(cluster);
    return { uneven: await dependencies.byHand.rebalance(uneven, services, noteOf(reason)) };
  });
  app.get('/clusters/:name/logs', async (request, reply) => {
    const cluster = knownCluster(pipelines, request.params);
    const query = readInput(WorkloadLogQuery, request.query);
    const ended = new AbortController();
    const signal = AbortSignal.any([closedSignal(reply), ended.signal]);
    const payload: JobPayload<'logs'> = {
      ...query,
      stream: randomUUID(),
      workload: workloadKey(query),
      follow: query.follow === '1',
    };
    const log = collect(ended);
    const reading = dependencies.readStream(
      payload.stream,
      { onReady: () => log.ask(dependencies.queue, cluster, payload), onMessage: log.take },
      signal,
    );
    reading.catch((error: unknown) => {
      request.log.warn({ cluster, workload: payload.workload, err: error }, 'a log broke off');
      log.fail(error);
    });
    try {
      await log.begun;
    } catch (error) {
      ended.abort();
      throw error;
    }
    log.sendTo(openLineStream(reply, 'application/x-ndjson'));
    await reading.catch(() => undefined);
    return reply;
  });
}

interface Collected {
  /** The log has begun; fails with what the worker says where it cannot. */
  begun: Promise<void>;
  ask(queue: JobQueue, cluster: string, payload: JobPayload<'logs'>): Promise<void>;
  take: (message: StreamMessage) => void;
  fail: (error: unknown) => void;
  sendTo(stream: LineStream): void;
}

/** Keeps what comes before the answer is begun, and passes on what comes after. */
function collect(ended: AbortController): Collected {
  const { promise: begun, resolve, reject } = Promise.withResolvers<void>();
  let waiting: StreamMessage[] = [];
  let sink: LineStream | undefined;

  function pass(stream: LineStream, message: StreamMessage): void {
    if (message.kind === 'line') stream.write(`${JSON.stringify(message.value)}\n`);
    else if (message.error === undefined) stream.end();
    else stream.fail();
  }

  function fail(error: unknown): void {
    reject(error instanceof Error ? error : new Error(String(error)));
    sink?.fail();
    ended.abort();
  }

  return {
    begun,
    fail,
    async ask(queue, cluster, payload) {
      try {
        await queue.request(clusterQueue(cluster), 'logs', payload, ANSWER_MS);
        await sleep(FIRST_MESSAGE_MS);
        resolve();
      } catch (error) {
        fail(error);
      }
    },
    take(message) {
      if (message.kind === 'end' && message.error !== undefined && waiting.length === 0)
        reject(new UserError('unavailable', message.error));
      else resolve();
      if (sink === undefined) waiting.push(message);
      else pass(sink, message);
    },
    sendTo(stream) {
      sink = stream;
      for (const message of waiting) pass(stream, message);
      waiting = [];
    },
  };
}
