import { z } from 'zod';

/** What a git hook tells the server, as one line of JSON. */
export const HookCall = z.strictObject({
  phase: z.enum(['pre-receive', 'post-receive']),
  repository: z.string(),
  /** Under which whoever pushes knows the server. */
  url: z.string(),
  who: z.string(),
  updates: z.array(z.strictObject({ before: z.string(), after: z.string(), ref: z.string() })),
  pushOptions: z.array(z.string()),
  /** Where git keeps the objects of a push that is not accepted yet. */
  objects: z.strictObject({ directory: z.string(), alternates: z.string() }).exactOptional(),
});
export type HookCall = z.infer<typeof HookCall>;

/** What the server answers, a line of JSON each: text for whoever pushes, at last the exit code. */
export const HookAnswer = z.union([
  z.strictObject({ line: z.string() }),
  z.strictObject({ exit: z.int() }),
]);
export type HookAnswer = z.infer<typeof HookAnswer>;
