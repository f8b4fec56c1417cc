import { z } from 'zod';
import { WorkloadName } from '#core/api/cluster.ts';
import { ByHand } from '#core/by-hand/by-hand.ts';

/** Path of what is done to a deploy entry by hand: `/api/v1/entries/:pipeline/:entry/…`. */
export const EntryPath = z.object({ pipeline: z.string(), entry: z.string() });

/** `POST …/confirm`: lets the deletions of that release pass, which wait because they are many. */
export const ConfirmRequest = z.strictObject({ release: z.string() });
export type ConfirmRequest = z.infer<typeof ConfirmRequest>;

/** `POST …/suspend`: nothing is changed, healed or released any more. `POST …/resume` ends it. */
export const SuspendRequest = z.strictObject({ reason: z.string().max(500).exactOptional() });
export type SuspendRequest = z.infer<typeof SuspendRequest>;

const LONGEST_SECONDS = 30 * 24 * 3_600;

/** `POST …/open`: deploys may begin for a while, whatever the windows of the entry say. */
export const OpenRequest = z.strictObject({
  forSeconds: z.int().min(1).max(LONGEST_SECONDS).default(3_600),
  reason: z.string().max(500).exactOptional(),
});
export type OpenRequest = z.input<typeof OpenRequest>;

/**
 * `POST /api/v1/clusters/:name/scale`: another number of replicas than in git, for a while or until the next release.
 * Without `replicas` that of git counts again.
 */
export const ScaleRequest = z.strictObject({
  workload: WorkloadName,
  namespace: z.string().default('default'),
  replicas: z.int().min(0).max(1_000).exactOptional(),
  forSeconds: z.int().min(1).max(LONGEST_SECONDS).default(3_600),
  reason: z.string().max(500).exactOptional(),
});
export type ScaleRequest = z.input<typeof ScaleRequest>;

/** `POST /api/v1/clusters/:name/restart`: new pods in the place of all there are, rolled as a release would. */
export const RestartRequest = ScaleRequest.pick({ workload: true, namespace: true, reason: true });
export type RestartRequest = z.input<typeof RestartRequest>;

/** How the entry stands after it. The cluster follows as soon as its deploy worker hears of it. */
export const ByHandAnswer = z.object({
  owner: z.string(),
  byHand: ByHand,
  /** Key of the HorizontalPodAutoscaler that scales the workload, where nobody has by hand. */
  autoscaler: z.string().exactOptional(),
});
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
