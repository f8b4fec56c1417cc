import { z } from 'zod';
import type { ErrorCode } from '#core/errors.ts';

/** The body of every answer from 400 up. */
export const ErrorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

export const STATUS_OF: Record<ErrorCode, number> = {
  'invalid-input': 400,
  unauthorized: 401,
  'not-found': 404,
  conflict: 409,
  unsupported: 422,
  'build-failed': 422,
  'test-failed': 422,
  'deploy-failed': 422,
  cancelled: 409,
  'missing-tool': 500,
  unavailable: 503,
  timeout: 504,
  'no-space': 507,
};
