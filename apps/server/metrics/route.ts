import type { FastifyInstance } from 'fastify';
import type { Tokens } from '#adapters/state/tokens.ts';
import { requireRole } from '../authorize.ts';
import type { Metrics } from './metrics.ts';

/** `GET /metrics`, as Prometheus reads it. */
export async function metricsRoutes(
  app: FastifyInstance,
  { tokens, metrics }: { tokens: Tokens; metrics: Metrics },
): Promise<void> {
  app.get(
    '/metrics',
    { onRequest: requireRole(tokens, ['metrics', 'admin']) },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
