import { z } from 'zod';

/** How far the hooks of a release came; kept on the cluster, so that none runs twice. */
export const HookRecord = z.strictObject({
  release: z.string(),
  /** Whether there was nothing of the owner before it. */
  how: z.enum(['install', 'upgrade']),
  /** Everything was once as it is wanted, and well, and all hooks had run: what fails later fails by itself. */
  done: z.literal(true).exactOptional(),
  /** By time and identity. */
  runs: z.record(
    z.string(),
    z.strictObject({
      state: z.enum(['made', 'succeeded', 'failed']),
      reason: z.string().exactOptional(),
    }),
  ),
});
export type HookRecord = z.infer<typeof HookRecord>;
