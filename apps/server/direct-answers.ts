import { randomUUID } from 'node:crypto';
import { UserError } from '#core/errors.ts';

/**
 * What workers answer past the queue, since it may not be in Redis, for whoever asked in this process. The worker brings
 * it before it ends its job.
 */
export interface DirectAnswers {
  /** Under an id that nobody guesses. `body` throws UserError `unavailable` where nothing was brought; `forget` ends it. */
  expect(): { id: string; body: () => unknown; forget: () => void };
  /** @throws UserError `not-found` where nobody waits for it, so that the job fails and says so */
  take(id: string, body: unknown): void;
}

export function createDirectAnswers(): DirectAnswers {
  const waiting = new Map<string, { body?: unknown }>();
  return {
    expect() {
      const id = randomUUID();
      const answer: { body?: unknown } = {};
      waiting.set(id, answer);
      return {
        id,
        body() {
          if (answer.body !== undefined) return answer.body;
          throw new UserError('unavailable', 'the deploy worker brought no answer', {
            hint: 'does its WINDLASS_SERVER_URL lead to this server?',
            transient: true,
          });
        },
        forget: () => void waiting.delete(id),
      };
    },
    take(id, body) {
      const answer = waiting.get(id);
      if (answer === undefined)
        throw new UserError('not-found', 'nobody waits for this answer at this server');
      answer.body = body;
    },
  };
}
