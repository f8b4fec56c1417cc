import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { QUEUE_PREFIX } from '#adapters/queue/settings.ts';
import type { Tokens } from '#adapters/state/tokens.ts';
import { BUILD_QUEUE, clusterQueue } from '#core/queue/jobs.ts';
import { answerError } from '../answer-error.ts';
import { requireRole } from '../authorize.ts';

const PATH = '/queues';
/** The board's own page, which holds its settings in a script. */
const POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

interface QueueBoardDependencies {
  tokens: Tokens;
  redis: Redis;
  /** Those that are declared now. */
  clusters: () => readonly string[];
  onTrouble: (error: Error) => void;
}

/** `/queues`: Bull Board, to look and not to touch, for who has the admin token (a browser asks for it as a password). */
export async function queueBoard(
  app: FastifyInstance,
  { tokens, redis, clusters, onTrouble }: QueueBoardDependencies,
): Promise<void> {
  const adapter = new FastifyAdapter().setBasePath(PATH);
  const board = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Windlass' } },
  });
  const shown = new Map<string, Queue>();
  const check = requireRole(tokens, ['admin']);

  function show(names: readonly string[]): void {
    if (names.length === shown.size && names.every((name) => shown.has(name))) return;
    for (const name of names) {
      if (shown.has(name)) continue;
      const queue = new Queue(name, { connection: redis, prefix: QUEUE_PREFIX });
      queue.on('error', onTrouble);
      shown.set(name, queue);
    }
    for (const name of shown.keys()) if (!names.includes(name)) shown.delete(name);
    board.replaceQueues(
      [...shown.values()].map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    );
  }

  app.addHook('onRequest', async (request, reply) => {
    try {
      await check(request, reply);
    } catch (error) {
      // The board has an error handler of its own.
      return answerError(
        error,
        request,
        reply.header('www-authenticate', 'Basic realm="Windlass"'),
      );
    }
    reply.header('content-security-policy', POLICY);
    show([BUILD_QUEUE, ...clusters().map(clusterQueue)]);
  });
  await app.register(adapter.registerPlugin(), { prefix: PATH });
}
