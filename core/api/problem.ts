import { z } from 'zod';

/** `GET /api/v1/problems`: what keeps the newest of what is declared or pushed from being seen. */
export const ProblemList = z.object({
  problems: z.array(
    z.object({
      /** The configuration as a whole, the source of a pipeline, or what a pipeline's repository declares. */
      of: z.enum(['configuration', 'source', 'declaration']),
      pipeline: z.string().exactOptional(),
      message: z.string(),
      /** Milliseconds since the epoch. */
      since: z.number(),
    }),
  ),
});
export type ProblemList = z.infer<typeof ProblemList>;
