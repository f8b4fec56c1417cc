import { z } from 'zod';

const ReleaseView = z.object({
  commit: z.string(),
  pipeline: z.string(),
  entry: z.string(),
  source: z.string(),
  subject: z.string(),
  author: z.string(),
  at: z.number(),
  runId: z.string().exactOptional(),
  pushedBy: z.string().exactOptional(),
  restores: z.string().exactOptional(),
  healthy: z.boolean(),
});

export const ReleaseQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

/** `GET /api/v1/releases/:pipeline/:entry?limit=`, newest first: the first is the desired state. */
export const ReleaseList = z.object({ releases: z.array(ReleaseView) });
export type ReleaseList = z.infer<typeof ReleaseList>;
