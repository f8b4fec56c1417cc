import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import {
  ConfirmRequest,
  DeleteRequest,
  EntryPath,
  OpenRequest,
  RestartRequest,
  ScaleRequest,
  SuspendRequest,
} from '#core/api/by-hand.ts';
import type { Note } from '#core/by-hand/by-hand.ts';
import type { ByHandActions } from '../by-hand/by-hand.ts';
import { readInput } from '../read-input.ts';

const WHO = 'admin';
const ClusterPath = z.object({ name: z.string() });

export interface ByHandRouteDependencies {
  byHand: ByHandActions;
}

/** What is done to a deploy entry by hand. */
export async function byHandRoutes(
  app: FastifyInstance,
  { byHand }: ByHandRouteDependencies,
): Promise<void> {
  app.post('/entries/:pipeline/:entry/confirm', async (request) => {
    const { release } = readInput(ConfirmRequest, request.body);
    return byHand.confirm(readInput(EntryPath, request.params), release, noteOf());
  });
  app.post('/entries/:pipeline/:entry/suspend', async (request) => {
    const { reason } = readInput(SuspendRequest, request.body);
    return byHand.suspend(readInput(EntryPath, request.params), noteOf(reason));
  });
  app.post('/entries/:pipeline/:entry/resume', async (request) =>
    byHand.resume(readInput(EntryPath, request.params)),
  );
  app.post('/entries/:pipeline/:entry/open', async (request) => {
    const { forSeconds, reason } = readInput(OpenRequest, request.body);
    return byHand.open(readInput(EntryPath, request.params), forSeconds, noteOf(reason));
  });
  app.post('/clusters/:name/scale', async (request) => {
    const { name } = readInput(ClusterPath, request.params);
    const { reason, ...wanted } = readInput(ScaleRequest, request.body);
    return byHand.scale(name, wanted, noteOf(reason));
  });
  app.post('/clusters/:name/restart', async (request) => {
    const { name } = readInput(ClusterPath, request.params);
    const { reason, ...wanted } = readInput(RestartRequest, request.body);
    return byHand.restart(name, wanted, noteOf(reason));
  });
  app.post('/pipelines/:pipeline/delete', async (request) => {
    const { pipeline } = readInput(EntryPath.pick({ pipeline: true }), request.params);
    return byHand.remove({ pipeline, ...readInput(DeleteRequest, request.body) }, noteOf());
  });
}

export function noteOf(reason?: string): Note {
  return { who: WHO, at: Date.now(), ...(reason === undefined ? {} : { reason }) };
}
