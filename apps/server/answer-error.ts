import type { FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_OF } from '#core/api/error.ts';
import { InvalidFiles, messageOf, UserError } from '#core/errors.ts';

/** As the system says it, and git. */
const NO_SPACE = /ENOSPC|no space left on device|out of diskspace/i;

/** `{ error: { code, message, hint?, problems? } }`. What is no UserError is a bug: it is logged, and told as little. */
export async function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (error instanceof UserError) {
    await refuse(error, reply);
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
  if (NO_SPACE.test(messageOf(error))) {
    await refuse(noSpace(error), reply);
    return;
  }
  const message = 'the server failed; its log says why';
  await reply.status(500).send({ error: { code: 'internal', message } });
}

async function refuse(error: UserError, reply: FastifyReply): Promise<void> {
  const { code, message, hint } = error;
  const problems = error instanceof InvalidFiles ? { problems: error.problems } : {};
  const body = { code, message, ...(hint === undefined ? {} : { hint }), ...problems };
  await reply.status(STATUS_OF[code]).send({ error: body });
}

function noSpace(cause: unknown): UserError {
  return new UserError('no-space', 'no space left on the disk of the server', {
    cause,
    hint: 'make room where its state folder is, and try again',
  });
}

/** Fastify's own refusals (body too large, not JSON) carry their status. */
function statusOf(error: unknown): number {
  const status =
    error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : Number.NaN;
  return status >= 400 && status < 500 ? status : 500;
}
