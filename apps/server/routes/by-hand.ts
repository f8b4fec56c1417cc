import type { FastifyInstance } from 'fastify';
import { ConfirmRequest, DeleteRequest, EntryPath } from '#core/api/by-hand.ts';
import type { Note } from '#core/by-hand/by-hand.ts';
import type { ByHandActions } from '../by-hand/by-hand.ts';
import { readInput } from '../read-input.ts';

const WHO = 'admin';

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
  app.post('/pipelines/:pipeline/delete', async (request) => {
    const { pipeline } = readInput(EntryPath.pick({ pipeline: true }), request.params);
    return byHand.remove({ pipeline, ...readInput(DeleteRequest, request.body) }, noteOf());
  });
}

function noteOf(reason?: string): Note {
  return { who: WHO, at: Date.now(), ...(reason === undefined ? {} : { reason }) };
}
