import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import websocket from '@fastify/websocket';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { MAX_FRAME_BYTES } from '#adapters/tunnel/tunnel.ts';
import { API_PREFIX, isDocumented, openApiDocument } from '#core/api/openapi.ts';
import { answerError } from './answer-error.ts';
import { requireRole } from './authorize.ts';
import { gitRoutes } from './git/http.ts';
import type { GitHttpDependencies } from './git/http.ts';
import { byHandRoutes } from './routes/by-hand.ts';
import type { ByHandRouteDependencies } from './routes/by-hand.ts';
import { clusterRoutes } from './routes/clusters.ts';
import { serverRoutes } from './routes/servers.ts';
import type { ClusterDependencies } from './routes/clusters.ts';
import { declaredRoutes } from './routes/declared.ts';
import type { DeclaredDependencies } from './routes/declared.ts';
import { internalRoutes } from './routes/internal.ts';
import type { InternalDependencies } from './routes/internal.ts';
import { planRoutes } from './routes/plan.ts';
import type { PlanDependencies } from './routes/plan.ts';
import { problemRoutes } from './routes/problems.ts';
import type { ProblemDependencies } from './routes/problems.ts';
import { runRoutes } from './routes/runs.ts';
import type { RunDependencies } from './routes/runs.ts';
import { eventRoutes } from './routes/events.ts';
import type { EventDependencies } from './routes/events.ts';
import { arrivalRoutes, tunnelRoutes } from './routes/tunnels.ts';
import type { TunnelDependencies } from './routes/tunnels.ts';
import { metricsRoutes } from './metrics/route.ts';
import type { Metrics } from './metrics/metrics.ts';
import { createTunnels } from './tunnels.ts';
import { whyRoutes } from './routes/why.ts';
import type { WhyDependencies } from './why.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import type { WebhookDependencies } from './routes/webhooks.ts';
import type { Tokens } from '#adapters/state/tokens.ts';

/** A push of a large repository takes its time. */
const REQUEST_MS = 3_600_000;

export interface Tls {
  cert: string;
  key: string;
}

export type AppDependencies = RunDependencies &
  DeclaredDependencies &
  ClusterDependencies &
  ByHandRouteDependencies &
  EventDependencies &
  Omit<TunnelDependencies, 'tunnels'> &
  WhyDependencies &
  PlanDependencies &
  Omit<ProblemDependencies, 'repositories'> &
  WebhookDependencies &
  InternalDependencies & {
    tokens: Tokens;
    git: Omit<GitHttpDependencies, 'tokens' | 'log'>;
    /** What the server needs for its work, and whether it has it now. */
    readiness: () => Promise<Record<string, boolean>>;
    metrics: Metrics;
    log: Logger;
    tls?: Tls;
    behindProxy?: boolean;
  };

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

/** The server's HTTP side: git, webhooks, REST API, and what workers ask. */
export async function createApp(dependencies: AppDependencies): Promise<FastifyInstance> {
  const { tokens, tls, log, readiness } = dependencies;
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Requests are not logged, so that there is nothing to connect by an id.
    childLoggerFactory: (logger) => logger,
    bodyLimit: 1_024 * 1_024,
    forceCloseConnections: true,
    // What Fastify refuses before it has found a route, such as a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
    trustProxy: dependencies.behindProxy ?? false,
    serverFactory: (handler) => {
      const options = { requestTimeout: REQUEST_MS };
      if (tls === undefined) return createServer(options, handler);
      // Speaks HTTP just as the plain one does; only the types of their sockets differ.
      return createTlsServer({ ...options, ...tls }, handler) as unknown as Server;
    },
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async (request, reply) => {
    const message = `there is nothing at ${request.method} ${request.url.split('?')[0]}`;
    await reply.status(404).send({ error: { code: 'not-found', message } });
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(HEADERS);
    if (tls !== undefined) reply.header('strict-transport-security', 'max-age=31536000');
    done();
  });

  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (_request, reply) => {
    const checks = await readiness();
    const ok = Object.values(checks).every(Boolean);
    return reply.status(ok ? 200 : 503).send({ ok, checks });
  });
  await app.register(metricsRoutes, dependencies);
  const tunnels = createTunnels();
  await app.register(websocket, {
    options: { maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false },
  });
  await app.register(gitRoutes, { ...dependencies.git, tokens, log });
  await app.register(webhookRoutes, dependencies);
  await app.register(arrivalRoutes, { tokens, tunnels, prefix: '/internal/v1' });
  await app.register(internalRoutes, { ...dependencies, prefix: '/internal/v1' });
  await app.register(
    async (api) => {
      api.addHook('onRequest', requireRole(tokens, ['admin']));
      // INVARIANT: there is no route that the API's document does not tell of.
      api.addHook('onRoute', ({ method, url }) => {
        for (const each of [method].flat().filter((name) => name !== 'HEAD'))
          if (!isDocumented(each, url.slice(API_PREFIX.length)))
            throw new Error(`${each} ${url} is missing in core/api/openapi.ts`);
      });
      api.get('/openapi.json', async () => openApiDocument());
      await runRoutes(api, dependencies);
      await declaredRoutes(api, dependencies);
      await clusterRoutes(api, dependencies);
      await serverRoutes(api, dependencies);
      await planRoutes(api, dependencies);
      await problemRoutes(api, { ...dependencies, repositories: dependencies.git.repositories });
      await byHandRoutes(api, dependencies);
      await eventRoutes(api, dependencies);
      await tunnelRoutes(api, { ...dependencies, tunnels });
      await whyRoutes(api, dependencies);
    },
    { prefix: API_PREFIX },
  );
  return app;
}
