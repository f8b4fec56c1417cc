import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { acceptFor } from '#core/accept.ts';
import { PlanRequest, PlanView } from '#core/api/plan.ts';
import type { PlanAnswer } from '#core/api/plan.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { JobQueue } from '#core/ports.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import { referencesIn, replaceImages } from '#core/release/images.ts';
import { imagesToResolve, renderManifests } from '#core/render.ts';
import { parseSource } from '#core/sources/parse-source.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { readInput } from '../read-input.ts';
import type { Releases } from '../releases/releases.ts';

const BODY_BYTES = 32 * 1_024 * 1_024;
const ANSWER_MS = 60_000;
const Answer = z.object({ plan: PlanView });

export interface PlanDependencies {
  pipelines: KnownPipelines;
  releases: Releases;
  queue: JobQueue;
}

/** `POST /api/v1/plan`: asks the cluster's controller what would change. Nothing is written. */
export async function planRoutes(
  app: FastifyInstance,
  dependencies: PlanDependencies,
): Promise<void> {
  app.post('/plan', { bodyLimit: BODY_BYTES }, async (request): Promise<PlanAnswer> => {
    const wanted = readInput(PlanRequest, request.body);
    const { pipeline, entry } = wanted;
    const cluster = await clusterOf(wanted, dependencies.pipelines);
    const rendered = await render(wanted, cluster, dependencies);
    const payload: JobPayload<'plan'> = {
      owner: ownerKey(pipeline, entry),
      manifests: await dependencies.releases.seal(pipeline, entry, rendered),
    };
    const queue = clusterQueue(cluster);
    const answer = await dependencies.queue.request(queue, 'plan', payload, ANSWER_MS);
    return { entry, cluster, plan: Answer.parse(answer).plan };
  });
}

async function clusterOf(wanted: PlanRequest, pipelines: KnownPipelines): Promise<string> {
  const known = await pipelines.find(wanted.pipeline);
  const deploy = known?.pipeline.spec.deploy.find((each) => entryName(each) === wanted.entry);
  const cluster = wanted.cluster ?? deploy?.cluster;
  if (cluster === undefined)
    throw new UserError('not-found', `${wanted.pipeline} has no deploy entry ${wanted.entry} here`);
  if (Object.hasOwn(pipelines.clusters(), cluster)) return cluster;
  throw new UserError('not-found', `the cluster ${cluster} is not declared`);
}

async function render(
  wanted: PlanRequest,
  cluster: string,
  { pipelines, releases }: PlanDependencies,
): Promise<Record<string, string>> {
  const files = Object.entries(wanted.manifests).map(([path, text]) => ({ path, text }));
  const { images: built, namespace } = wanted;
  const parsed = parseSource(files, { images: built, namespace });
  const engine = pipelines.clusters()[cluster]?.spec.engine;
  const refused = engine === undefined ? [] : acceptFor(engine, parsed);
  const problems = [...parsed.problems, ...refused];
  if (problems.length > 0) throw new InvalidFiles(problems);
  const { resources } = parsed;
  const head = await releases.head(wanted.pipeline, wanted.entry);
  const released =
    head === undefined ? [] : referencesIn(await releases.sealed(wanted.pipeline, head.commit));
  const images = (await pipelines.find(wanted.pipeline))?.pipeline.spec.images ?? [];
  const references = replaceImages(imagesToResolve(resources), released, wanted.images, images);
  return renderManifests(resources, references);
}
