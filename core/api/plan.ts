import { z } from 'zod';
import type { Change } from '#core/plan/change.ts';

const ChangeView: z.ZodType<Change> = z.object({
  action: z.enum(['create', 'update', 'replace', 'delete']),
  key: z.string(),
  fields: z.array(
    z.object({
      path: z.string(),
      current: z.string().exactOptional(),
      desired: z.string().exactOptional(),
    }),
  ),
  reason: z.string().exactOptional(),
});

export const PlanView = z.array(ChangeView);

/** `POST /api/v1/plan`: what would change if these manifests were released now. */
export const PlanRequest = z.strictObject({
  pipeline: z.string(),
  entry: z.string(),
  /** Of an entry that the server does not know yet. */
  cluster: z.string().exactOptional(),
  /** Names of images that the pipeline builds; each is taken as the newest release of the entry has it. */
  images: z.array(z.string()).default([]),
  /** Where goes what names no namespace; `default` when absent. */
  namespace: z.string().exactOptional(),
  /** Path to YAML text as it is in the repository, or was rendered. */
  manifests: z.record(z.string(), z.string()),
});
export type PlanRequest = z.infer<typeof PlanRequest>;

export const PlanAnswer = z.object({ entry: z.string(), cluster: z.string(), plan: PlanView });
export type PlanAnswer = z.infer<typeof PlanAnswer>;
