import type { FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_OF } from '#core/api/error.ts';
import { InvalidFiles, messageOf, UserError } from '#core/errors.ts';

/** `{ error: { code, message, hint?, problems? } }`. What is no UserError is a bug: it is logged, and told as little. */
export async function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (error instanceof UserError) {
    const { code, message, hint } = error;
    const problems = error instanceof InvalidFiles ? { problems: error.problems } : {};
    const body = { code, message, ...(hint === undefined ? {} : { hint }), ...problems };
    await reply.status(STATUS_OF[code]).send({ error: body });
    return;
  }
  const status = statusOf(error);
  if (status < 500) {
    await reply
      .status(status)
      .send({ error: { code: 'invalid-input', message: messageOf(error) } });
    return;
  }
  request.log.error({ err: error, url: request.url }, 'a request failed');
  const message = 'the server failed; its log says why';
  await reply.status(500).send({ error: { code: 'internal', message } });
}

/** Fastify's own refusals (body too large, not JSON) carry their status. */
function statusOf(error: unknown): number {
  const status =
    error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : Number.NaN;
  return status >= 400 && status < 500 ? status : 500;
}
