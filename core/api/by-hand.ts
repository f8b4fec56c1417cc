import { z } from 'zod';
import { ByHand } from '#core/by-hand/by-hand.ts';

/** Path of everything that is done to a deploy entry by hand: `/api/v1/entries/:pipeline/:entry/…`. */
export const EntryPath = z.object({ pipeline: z.string(), entry: z.string() });

/** `POST …/confirm`: lets the deletions of that release pass, which wait because they are many. */
export const ConfirmRequest = z.strictObject({ release: z.string() });
export type ConfirmRequest = z.infer<typeof ConfirmRequest>;

/** How the entry stands after it. The cluster follows as soon as its deploy worker hears of it. */
export const ByHandAnswer = z.object({ owner: z.string(), byHand: ByHand });
export type ByHandAnswer = z.infer<typeof ByHandAnswer>;
