import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import {
  HealthyRequest,
  ManifestsBody,
  ReleaseRequest,
  RestoreRequest,
  StoreRequest,
} from '#core/release/wire.ts';
import type { ByHandActions } from '../by-hand/by-hand.ts';
import type { Identity } from '#core/ports.ts';
import { requireRole } from '../authorize.ts';
import type { DirectAnswers } from '../direct-answers.ts';
import { closedSignal } from '../line-stream.ts';
import { readInput } from '../read-input.ts';
import type { Releases } from '../releases/releases.ts';
import type { Tokens } from '#adapters/state/tokens.ts';

const BODY_BYTES = 32 * 1_024 * 1_024;
const RunPath = z.object({ run: z.string() });
const EntryPath = z.object({ pipeline: z.string(), entry: z.string() });
const ClusterPath = z.object({ cluster: z.string() });
const AnswerPath = z.object({ id: z.string() });
const CommitPath = z.object({ pipeline: z.string(), commit: z.string() });

export interface InternalDependencies {
  identity: Identity;
  releases: Releases;
  /** References of the images that releases name which are kept deployable. */
  keptImages: (signal: AbortSignal) => Promise<string[]>;
  byHand: ByHandActions;
  answers: Pick<DirectAnswers, 'take'>;
}

/** `/internal/v1`: what workers ask of the server (ServerApi). */
export async function internalRoutes(
  app: FastifyInstance,
  {
    identity,
    releases,
    keptImages,
    byHand,
    answers,
    tokens,
  }: InternalDependencies & { tokens: Tokens },
): Promise<void> {
  app.addHook('onRequest', requireRole(tokens, ['worker', 'admin']));
  const options = { bodyLimit: BODY_BYTES };

  app.post('/runs/:run/rendered', options, async (request, reply) => {
    const { run } = readInput(RunPath, request.params);
    const { entries } = readInput(StoreRequest, request.body);
    await releases.storeRendered(run, entries, closedSignal(reply));
    return { done: true };
  });
  app.post('/runs/:run/release', async (request, reply) => {
    const { run } = readInput(RunPath, request.params);
    const { entry } = readInput(ReleaseRequest, request.body);
    return releases.release(run, entry, closedSignal(reply));
  });
  app.post('/releases/:pipeline/:entry/restore', async (request, reply) => {
    const { pipeline, entry } = readInput(EntryPath, request.params);
    const { failed, reason } = readInput(RestoreRequest, request.body);
    const signal = closedSignal(reply);
    const release = await releases.restore(pipeline, entry, failed, reason, signal);
    return release === undefined ? {} : { release };
  });
  app.post('/releases/:pipeline/:entry/healthy', async (request, reply) => {
    const { pipeline, entry } = readInput(EntryPath, request.params);
    const { commit } = readInput(HealthyRequest, request.body);
    await releases.markHealthy(pipeline, entry, commit, closedSignal(reply));
    return { done: true };
  });
  app.get('/clusters/:cluster/heads', async (request, reply) => {
    const { cluster } = readInput(ClusterPath, request.params);
    return releases.heads(cluster, closedSignal(reply));
  });
  app.get('/identity', async () => identity);
  app.get('/kept-images', async (_request, reply) => ({
    references: await keptImages(closedSignal(reply)),
  }));
  app.get('/by-hand', async () => ({ owners: byHand.all() }));
  app.get('/manifests/:pipeline/:commit', async (request, reply) => {
    const { pipeline, commit } = readInput(CommitPath, request.params);
    return { manifests: await releases.manifests(pipeline, commit, closedSignal(reply)) };
  });
  app.post('/open', options, async (request, reply) => {
    const { manifests } = readInput(ManifestsBody, request.body);
    return { manifests: await releases.open(manifests, closedSignal(reply)) };
  });
  app.post('/answers/:id', options, async (request) => {
    answers.take(readInput(AnswerPath, request.params).id, request.body);
    return { done: true };
  });
}
