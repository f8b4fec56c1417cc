import { z } from 'zod';
import type { ErrorCode } from '#core/errors.ts';

/** The body of every answer from 400 up. */
export const ErrorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
    /** Of files that are refused: each mistake with its place. */
    problems: z
      .array(
        z.object({
          file: z.string(),
          line: z.number(),
          column: z.number(),
          path: z.string(),
          message: z.string(),
          hint: z.string().exactOptional(),
        }),
      )
      .exactOptional(),
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
