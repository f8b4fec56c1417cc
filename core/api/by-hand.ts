import { z } from 'zod';
import { ByHand } from '#core/by-hand/by-hand.ts';

/** Path of what is done to a deploy entry by hand: `/api/v1/entries/:pipeline/:entry/…`. */
export const EntryPath = z.object({ pipeline: z.string(), entry: z.string() });

/** `POST …/confirm`: lets the deletions of that release pass, which wait because they are many. */
export const ConfirmRequest = z.strictObject({ release: z.string() });
export type ConfirmRequest = z.infer<typeof ConfirmRequest>;

/** How the entry stands after it. The cluster follows as soon as its deploy worker hears of it. */
export const ByHandAnswer = z.object({ owner: z.string(), byHand: ByHand });
export type ByHandAnswer = z.infer<typeof ByHandAnswer>;

/**
 * `POST /api/v1/pipelines/:pipeline/delete`: removes what entries have on clusters where they are not declared any more.
 * A pipeline that only its pushed repository declares is forgotten with it. Without `cascade` nothing is done: the
 * answer tells what would be.
 */
export const DeleteRequest = z.strictObject({
  entry: z.string().exactOptional(),
  cluster: z.string().exactOptional(),
  cascade: z.boolean().default(false),
});
export type DeleteRequest = z.input<typeof DeleteRequest>;

export const DeleteAnswer = z.object({
  deleted: z.array(
    z.object({
      owner: z.string(),
      cluster: z.string(),
      resources: z.array(z.string()),
      pods: z.number(),
    }),
  ),
  cascade: z.boolean(),
});
export type DeleteAnswer = z.infer<typeof DeleteAnswer>;

/** `POST /api/v1/clusters/:name/forget`: of a cluster that is not declared any more; what runs on it stays. */
export const ForgetAnswer = z.object({ forgotten: z.string() });
export type ForgetAnswer = z.infer<typeof ForgetAnswer>;
