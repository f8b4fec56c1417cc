import { z } from 'zod';

/** Who did something by hand, when (ms since the epoch) and why. */
export const Note = z.strictObject({
  who: z.string(),
  at: z.number(),
  reason: z.string().exactOptional(),
});
export type Note = z.infer<typeof Note>;

/** What people did to a deploy entry beside git. What names a release holds for that release only. */
export const ByHand = z.strictObject({
  /** The deletions of that release may be carried out, however many they are. */
  confirmed: Note.extend({ release: z.string() }).exactOptional(),
  /** Everything it has on that cluster goes, as long as it is not declared there. */
  deleted: z.array(Note.extend({ cluster: z.string() })).exactOptional(),
});
export type ByHand = z.infer<typeof ByHand>;

/** By owner; an owner to which nobody did anything is absent. */
export const AllByHand = z.record(z.string(), ByHand);
export type AllByHand = z.infer<typeof AllByHand>;
