import { z } from 'zod';
import { Trigger } from '#core/run/run.ts';

export const FoundContainerView = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string(),
  state: z.string(),
  createdAt: z.number(),
  role: z.string(),
  owner: z.string().exactOptional(),
  resource: z.string().exactOptional(),
  pod: z.string().exactOptional(),
  template: z.string().exactOptional(),
  made: z.object({ images: z.record(z.string(), z.string()), at: z.number() }).exactOptional(),
});

/** `GET /api/v1/why?container=&cluster=`: from a container to the push that led to it. */
export const WhyQuery = z.strictObject({
  /** Its id or the beginning of that, its name, or the name of its pod. */
  container: z.string().min(1).max(300),
  cluster: z.string().exactOptional(),
});

/** What is not known any more, or never was (of the cluster's own containers), is absent. */
export const WhyAnswer = z.object({
  cluster: z.string(),
  container: FoundContainerView,
  /** False where the deploy entry is not declared there any more. */
  declared: z.boolean(),
  /** The release that brought the workload as this container runs it. */
  release: z
    .object({
      commit: z.string(),
      subject: z.string(),
      author: z.string(),
      at: z.number(),
      source: z.string(),
      sourceRef: z.string(),
      runId: z.string().exactOptional(),
      restores: z.string().exactOptional(),
      pushedBy: z.string().exactOptional(),
    })
    .exactOptional(),
  /** The entry's newest release. */
  head: z.string().exactOptional(),
  run: z
    .object({
      id: z.string(),
      trigger: Trigger,
      createdAt: z.number(),
      state: z.string(),
      subject: z.string().exactOptional(),
    })
    .exactOptional(),
  /** What people did to the workload by hand, in lines. */
  byHand: z.array(z.string()),
});
export type WhyAnswer = z.infer<typeof WhyAnswer>;
