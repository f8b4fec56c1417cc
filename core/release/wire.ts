import { z } from 'zod';
import { AllByHand } from '#core/by-hand/by-hand.ts';
import { RenderedEntry } from '#core/release/release.ts';
import type { Heads, Release } from '#core/release/release.ts';

/** What workers and server say to each other below `/internal/v1`. */
export const ReleaseAnswer: z.ZodType<Release> = z.object({
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

export const StoreRequest = z.strictObject({ entries: z.array(RenderedEntry) });
export const ReleaseRequest = z.strictObject({ entry: z.string() });
export const RestoreRequest = z.strictObject({ failed: z.string(), reason: z.string() });
export const RestoreAnswer = z.object({ release: ReleaseAnswer.exactOptional() });
export const HealthyRequest = z.strictObject({ commit: z.string() });
export const HeadsAnswer: z.ZodType<Heads> = z.object({
  releases: z.array(ReleaseAnswer),
  unreadable: z.array(z.object({ pipeline: z.string(), entry: z.string(), reason: z.string() })),
});
export const ManifestsBody = z.object({ manifests: z.record(z.string(), z.string()) });
export const IdentityAnswer = z.object({ installation: z.string(), recordsKey: z.string() });
export const KeptImagesAnswer = z.object({ references: z.array(z.string()) });
export const ByHandAnswer = z.object({ owners: AllByHand });
export const DoneAnswer = z.object({ done: z.literal(true) });
