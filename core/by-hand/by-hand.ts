import { z } from 'zod';

/** Who did something by hand, when (ms since the epoch) and why. */
export const Note = z.strictObject({
  who: z.string(),
  at: z.number(),
  reason: z.string().exactOptional(),
});
export type Note = z.infer<typeof Note>;

/** Another number of replicas than in git. */
const Scaled = Note.extend({
  /** Key of the workload. */
  resource: z.string(),
  replicas: z.int().min(0),
  /** It ends then (ms since the epoch), or with the next release. */
  until: z.number(),
  release: z.string(),
});

/** New pods in the place of all there were. Holds for as long as git has the pod template of which this is the hash. */
const Restarted = Note.extend({ resource: z.string(), template: z.string() });

/** So many replicas more until they are ready, and then as many less: what servers have unevenly is spread anew. */
const Rebalanced = Note.extend({
  resource: z.string(),
  surplus: z.int().min(1),
  release: z.string(),
});

/** What people did to a deploy entry beside git. What names a release holds for that release only. */
export const ByHand = z.strictObject({
  /** Nothing is changed, healed or released any more, until it is resumed. */
  suspended: Note.exactOptional(),
  /** The deletions of that release may be carried out, however many they are. */
  confirmed: Note.extend({ release: z.string() }).exactOptional(),
  /** Deploys may begin until then (ms since the epoch), whatever the windows say. */
  opened: Note.extend({ until: z.number() }).exactOptional(),
  scaled: z.array(Scaled).exactOptional(),
  restarted: z.array(Restarted).exactOptional(),
  rebalanced: z.array(Rebalanced).exactOptional(),
  /** Everything it has on that cluster goes, as long as it is not declared there. */
  deleted: z.array(Note.extend({ cluster: z.string() })).exactOptional(),
});
export type ByHand = z.infer<typeof ByHand>;

/** By owner; an owner to which nobody did anything is absent. */
export const AllByHand = z.record(z.string(), ByHand);
export type AllByHand = z.infer<typeof AllByHand>;
