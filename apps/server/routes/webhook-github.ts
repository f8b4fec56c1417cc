import { createHmac } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Pipeline, SecretRef } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { branchOf } from '#core/run/new-run.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { Orchestrator } from '../orchestrator.ts';
import { readInput } from '../read-input.ts';
import { isSame } from '../role-of.ts';

const BODY_BYTES = 5 * 1_024 * 1_024;

export interface WebhookDependencies {
  pipelines: KnownPipelines;
  orchestrator: Pick<Orchestrator, 'receiveAll'>;
  readSecret: ReadSecret;
  log: Logger;
}

const Repository = z.object({
  clone_url: z.string().exactOptional(),
  ssh_url: z.string().exactOptional(),
  git_url: z.string().exactOptional(),
  html_url: z.string().exactOptional(),
});
const Event = z.object({ repository: Repository });
const Push = Event.extend({
  ref: z.string().regex(/^refs\/[^\s\p{Cc}]+$/u, 'must be a full ref'),
  before: z.string(),
  after: z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/, 'must be a commit'),
  deleted: z.boolean().exactOptional(),
  pusher: z.object({ name: z.string() }).exactOptional(),
});
type Push = z.infer<typeof Push>;

const DeliveryId = z.string().min(1).max(200);

/** `POST /webhooks/github`. The signature is checked on the bytes as they came, before anything is read from them. */
export async function githubWebhook(
  app: FastifyInstance,
  dependencies: WebhookDependencies,
): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post('/webhooks/github', { bodyLimit: BODY_BYTES }, async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const signed = await signedPipelines(
      body,
      header(request, 'x-hub-signature-256'),
      dependencies,
    );
    if (signed.length === 0) throw unauthorized();
    const payload = parseJson(body);
    const { repository } = readInput(Event, payload);
    const told = new Set(Object.values(repository).map(placeOf));
    const matching = signed.flatMap(({ byPlace }) =>
      [...told].flatMap((place) => byPlace.get(place) ?? []),
    );
    if (matching.length === 0) {
      const names = signed.flatMap(namesOf);
      const said = repository.clone_url ?? repository.html_url;
      dependencies.log.warn(
        { pipelines: names, repository: said },
        'a signed webhook names another repository than source.url: was it moved?',
      );
      throw unauthorized();
    }
    const event = header(request, 'x-github-event');
    if (event === 'ping') return { answer: 'pong' };
    if (event !== 'push') return { runs: [], ignored: `events of the kind ${event} start nothing` };
    const delivery = readInput(DeliveryId, header(request, 'x-github-delivery'));
    const answer = await receivePush(readInput(Push, payload), matching, delivery, dependencies);
    return reply.status(answer.ignored === undefined ? 202 : 200).send(answer);
  });
}

async function receivePush(
  push: Push,
  pipelines: readonly Pipeline[],
  delivery: string,
  { orchestrator }: WebhookDependencies,
): Promise<{ runs: string[]; ignored?: string }> {
  if (push.deleted === true || /^0+$/.test(push.after))
    return { runs: [], ignored: `${push.ref} was deleted` };
  if (!push.ref.startsWith('refs/heads/'))
    return { runs: [], ignored: `${push.ref} is not a branch` };
  const branch = branchOf(push.ref);
  const targets = pipelines
    .filter(({ spec }) => spec.source.branches.includes(branch))
    .map(({ metadata, spec }) => ({ pipeline: metadata.name, spec }));
  if (targets.length === 0)
    return { runs: [], ignored: `no pipeline of this repository runs on ${branch}` };
  const { runs, seenBefore } = await orchestrator.receiveAll(
    {
      kind: 'webhook',
      ref: push.ref,
      ...(/^0+$/.test(push.before) ? {} : { before: push.before }),
      after: push.after,
      who: push.pusher?.name ?? 'github',
    },
    targets,
    `github:${delivery}`,
  );
  const ids = runs.map(({ id }) => id);
  return seenBefore ? { runs: ids, ignored: 'this delivery was received before' } : { runs: ids };
}

/** Pipelines with the secret by which the body is signed. */
async function signedPipelines(
  body: Buffer,
  signature: string,
  { pipelines, readSecret, log }: WebhookDependencies,
): Promise<SharedSecret[]> {
  const signed: SharedSecret[] = [];
  for (const shared of bySecret(await pipelines.all())) {
    try {
      if (await isSigned(body, signature, shared.secret, readSecret)) signed.push(shared);
    } catch (error) {
      log.warn(
        { pipelines: namesOf(shared), reason: messageOf(error) },
        'the webhook secret cannot be read',
      );
    }
  }
  return signed;
}

interface SharedSecret {
  secret: SecretRef;
  /** Pipelines by where their source is. */
  byPlace: Map<string, Pipeline[]>;
}

function namesOf({ byPlace }: SharedSecret): string[] {
  return [...byPlace.values()].flat().map(({ metadata }) => metadata.name);
}

const grouped = new WeakMap<object, readonly SharedSecret[]>();

/** Many pipelines mostly share few secrets: a body is hashed once with each. */
function bySecret(all: readonly { pipeline: Pipeline }[]): readonly SharedSecret[] {
  const known = grouped.get(all);
  if (known !== undefined) return known;
  const groups = new Map<string, SharedSecret>();
  for (const { pipeline } of all) {
    const { webhookSecret: secret, url } = pipeline.spec.source;
    if (secret === undefined || url === undefined) continue;
    const key = JSON.stringify(secret);
    const group = groups.get(key) ?? { secret, byPlace: new Map<string, Pipeline[]>() };
    const place = placeOf(url);
    group.byPlace.set(place, [...(group.byPlace.get(place) ?? []), pipeline]);
    groups.set(key, group);
  }
  const list = [...groups.values()];
  grouped.set(all, list);
  return list;
}

async function isSigned(
  body: Buffer,
  signature: string,
  reference: SecretRef,
  readSecret: ReadSecret,
): Promise<boolean> {
  const secret = await readSecret(reference);
  const digest = createHmac('sha256', secret.reveal()).update(body).digest('hex');
  return isSame(`sha256=${digest}`, signature);
}

/** Host and path, however the remote is spelt: `https://host/a/b.git` and `git@host:a/b` are one place. */
function placeOf(url: string): string {
  return url
    .replace(/^[a-z+]+:\/\//i, '')
    .replace(/^[^@/]*@/, '')
    .replace(/^([^:/]+):(?!\d+\/)/, '$1/')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new UserError('invalid-input', 'the body is not JSON', {
      hint: 'set the content type of the webhook to application/json',
    });
  }
}

function unauthorized(): UserError {
  return new UserError('unauthorized', 'the signature fits no pipeline with this repository', {
    hint: "the webhook's secret must be the one that webhookSecret of the pipeline names",
  });
}

function header(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
