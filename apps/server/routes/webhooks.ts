import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { branchOf } from '#core/run/new-run.ts';
import type { Trigger } from '#core/run/run.ts';
import type { Inbox } from '../inbox.ts';
import { readInput } from '../read-input.ts';
import { findSigner } from './webhook-signature.ts';
import type { SignatureDependencies } from './webhook-signature.ts';

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const BODY_BYTES = 5 * 1_024 * 1_024;

export type WebhookDependencies = SignatureDependencies & {
  inbox: Pick<Inbox, 'accept'>;
};

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
  after: z.string().regex(COMMIT, 'must be a commit'),
  deleted: z.boolean().exactOptional(),
  pusher: z.object({ name: z.string() }).exactOptional(),
});
interface Pushed {
  ref: string;
  before: string | undefined;
  after: string;
  isDeleted: boolean;
  who: string;
}

/** Those that a run was or will be recorded of, or why there are none. */
interface Received {
  pipelines: readonly string[];
  ignored?: string;
}

const DeliveryId = z.string().min(1).max(200);

const Generic = z.strictObject({
  url: z.string().min(1),
  ref: z.string().regex(/^refs\/[^\s\p{Cc}]+$/u, 'must be a full ref, e.g. refs/heads/main'),
  commit: z.string().regex(COMMIT, 'must be a commit'),
  before: z.string().regex(COMMIT, 'must be a commit').exactOptional(),
  who: z.string().min(1).max(200).exactOptional(),
});

/** `POST /webhooks/github` and `/webhooks/generic`. Signatures are checked on the bytes as they came, before anything is read. */
export async function webhookRoutes(
  app: FastifyInstance,
  dependencies: WebhookDependencies,
): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.post('/webhooks/github', { bodyLimit: BODY_BYTES }, async (request, reply) => {
    const body = bodyOf(request);
    const signer = await findSigner(body, header(request, 'x-hub-signature-256'), dependencies);
    const payload = parseJson(body);
    const event = header(request, 'x-github-event');
    if (event !== 'push') {
      signer.pipelinesAt(Object.values(readInput(Event, payload).repository));
      if (event === 'ping') return { answer: 'pong' };
      return { pipelines: [], ignored: `events of the kind ${event} start nothing` };
    }
    const { repository, ref, before, after, deleted, pusher } = readInput(Push, payload);
    const pipelines = signer.pipelinesAt(Object.values(repository));
    const delivery = readInput(DeliveryId, header(request, 'x-github-delivery'));
    const isDeleted = deleted === true || isZero(after);
    const pushed = { ref, before, after, isDeleted, who: pusher?.name ?? 'github' };
    const answer = await receivePush(pushed, pipelines, `github:${delivery}`, dependencies);
    return reply.status(answer.ignored === undefined ? 202 : 200).send(answer);
  });
  app.post('/webhooks/generic', { bodyLimit: BODY_BYTES }, async (request, reply) => {
    const body = bodyOf(request);
    const signature = header(request, 'x-windlass-signature-256');
    const signer = await findSigner(body, signature, dependencies);
    const { url, ref, commit, before, who = 'webhook' } = readInput(Generic, parseJson(body));
    const pipelines = signer.pipelinesAt([url]);
    const given = header(request, 'x-windlass-delivery');
    // Without an id the same words are the same delivery.
    const delivery = given === '' ? signature : readInput(DeliveryId, given);
    const pushed = { ref, before, after: commit, isDeleted: isZero(commit), who };
    const answer = await receivePush(pushed, pipelines, `generic:${delivery}`, dependencies);
    return reply.status(answer.ignored === undefined ? 202 : 200).send(answer);
  });
}

async function receivePush(
  push: Pushed,
  pipelines: readonly Pipeline[],
  delivery: string,
  { inbox }: WebhookDependencies,
): Promise<Received> {
  if (push.isDeleted) return { pipelines: [], ignored: `${push.ref} was deleted` };
  if (!push.ref.startsWith('refs/heads/'))
    return { pipelines: [], ignored: `${push.ref} is not a branch` };
  const branch = branchOf(push.ref);
  const names = pipelines
    .filter(({ spec }) => spec.source.branches.includes(branch))
    .map(({ metadata }) => metadata.name);
  if (names.length === 0)
    return { pipelines: [], ignored: `no pipeline of this repository runs on ${branch}` };
  const trigger: Trigger = {
    kind: 'webhook',
    ref: push.ref,
    ...(push.before === undefined || isZero(push.before) ? {} : { before: push.before }),
    after: push.after,
    who: push.who,
  };
  return (await inbox.accept({ name: delivery, trigger, pipelines: names }))
    ? { pipelines: names }
    : { pipelines: [], ignored: 'this delivery was received before' };
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

function header(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** How git writes that there is no commit. */
function isZero(commit: string): boolean {
  return /^0+$/.test(commit);
}
