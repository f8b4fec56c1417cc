import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Tokens } from '#adapters/state/tokens.ts';
import { workloadKey } from '#core/api/cluster.ts';
import { ConnectQuery, ExecQuery } from '#core/api/tunnel.ts';
import { UserError } from '#core/errors.ts';
import type { JobQueue } from '#core/ports.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import { requireRole } from '../authorize.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { readInput } from '../read-input.ts';
import type { Tunnels } from '../tunnels.ts';
import { knownCluster } from './known-cluster.ts';

const WHO = 'admin';
const ANSWER_MS = 20_000;
const IdPath = z.object({ id: z.uuid() });

export interface TunnelDependencies {
  tunnels: Tunnels;
  queue: JobQueue;
  pipelines: KnownPipelines;
}

/**
 * Commands and connections: asked for here, opened by the deploy worker that controls the cluster. What cannot be is
 * answered before the connection becomes a WebSocket, as other errors are.
 */
export async function tunnelRoutes(
  app: FastifyInstance,
  { tunnels, queue, pipelines }: TunnelDependencies,
): Promise<void> {
  const ids = new WeakMap<object, string>();

  async function ask(
    request: FastifyRequest,
    wanted: Omit<JobPayload<'tunnel'>, 'id' | 'who'>,
  ): Promise<void> {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      throw new UserError('invalid-input', 'this address is for a WebSocket');
    const cluster = knownCluster(pipelines, request.params);
    const id = tunnels.newId();
    const payload: JobPayload<'tunnel'> = { id, who: WHO, ...wanted };
    await queue.request(clusterQueue(cluster), 'tunnel', payload, ANSWER_MS);
    ids.set(request, id);
  }

  app.get(
    '/clusters/:name/exec',
    {
      websocket: true,
      preHandler: async (request) => {
        const query = readInput(ExecQuery, request.query);
        await ask(request, { ...query, workload: workloadKey(query) });
      },
    },
    (socket, request) => tunnels.ask(ids.get(request) ?? '', socket),
  );
  app.get(
    '/clusters/:name/connect',
    {
      websocket: true,
      preHandler: async (request) => {
        const query = readInput(ConnectQuery, request.query);
        await ask(request, { ...query, workload: workloadKey(query) });
      },
    },
    (socket, request) => tunnels.ask(ids.get(request) ?? '', socket),
  );
}

/** `/internal/v1/tunnels/:id`, where deploy workers come with the other end. */
export async function arrivalRoutes(
  app: FastifyInstance,
  { tunnels, tokens }: { tunnels: Tunnels; tokens: Tokens },
): Promise<void> {
  app.addHook('onRequest', requireRole(tokens, ['worker', 'admin']));
  app.get('/tunnels/:id', { websocket: true }, (socket, request) =>
    tunnels.arrive(IdPath.parse(request.params).id, socket),
  );
}
