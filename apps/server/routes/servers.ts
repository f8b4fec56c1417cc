import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { FleetView } from '#core/api/cluster.ts';
import { RecoverAnswer, RecoverRequest, ServersPlanRequest } from '#core/api/servers.ts';
import type { ServersAnswer } from '#core/api/servers.ts';
import { UserError } from '#core/errors.ts';
import type { JobQueue, SharedState } from '#core/ports.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { readInput } from '../read-input.ts';
import { knownCluster } from './known-cluster.ts';

/** Servers are asked one by one, and those that do not answer are waited for. */
const ANSWER_MS = 60_000;
/** Of people there is one token. */
const WHO = 'admin';
const Answer = z.object({ fleet: FleetView });
const Recovered = RecoverAnswer.pick({ from: true, does: true });

export interface ServerDependencies {
  pipelines: KnownPipelines;
  shared: Pick<SharedState, 'clusterStatus'>;
  queue: JobQueue;
}

/** The servers of a cluster: how they are, what another file would change, and the way out of a lost quorum. */
export async function serverRoutes(
  app: FastifyInstance,
  { pipelines, shared, queue }: ServerDependencies,
): Promise<void> {
  function fleetCluster(params: unknown): string {
    const name = knownCluster(pipelines, params);
    const engine = pipelines.allClusters()[name]?.spec.engine;
    if (engine === 'swarm') return name;
    throw new UserError('unsupported', `engine ${engine} of cluster ${name} keeps no servers`, {
      hint: 'name a cluster with engine swarm',
    });
  }

  app.get('/clusters/:name/servers', async (request): Promise<ServersAnswer> => {
    const cluster = fleetCluster(request.params);
    const status = await shared.clusterStatus(cluster);
    if (status === undefined) return { cluster, servers: [], problems: [] };
    const { controller, at, fleet = { servers: [], problems: [] }, error } = status;
    return { cluster, controller, at, ...fleet, ...(error === undefined ? {} : { error }) };
  });

  app.post('/clusters/:name/servers/plan', async (request): Promise<FleetView> => {
    const cluster = fleetCluster(request.params);
    const { servers } = readInput(ServersPlanRequest, request.body);
    const payload: JobPayload<'plan-servers'> = { servers };
    const name = clusterQueue(cluster);
    return Answer.parse(await queue.request(name, 'plan-servers', payload, ANSWER_MS)).fleet;
  });

  app.post('/clusters/:name/servers/recover', async (request): Promise<RecoverAnswer> => {
    const cluster = fleetCluster(request.params);
    const { from, confirmed } = readInput(RecoverRequest, request.body);
    const how = confirmed ? 'do' : 'plan';
    const payload: JobPayload<'recover'> = { from, how, who: WHO };
    const answer = await queue.request(clusterQueue(cluster), 'recover', payload, ANSWER_MS);
    return { cluster, ...Recovered.parse(answer), done: confirmed };
  });
}
