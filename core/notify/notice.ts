import { z } from 'zod';

/** What receivers of notifications are sent as JSON. Fields may come to it; none that is here goes or changes its meaning. */
export const Notice = z.strictObject({
  version: z.literal(1),
  /** The same however often it is sent: a receiver can leave out what it has. */
  id: z.string(),
  kind: z.enum(['failure', 'recovery']),
  /** Of a run, of what is deployed while no run is under way, or of a server that it is deployed to. */
  of: z.enum(['run', 'deployment', 'server']),
  /** When it came to be so, as text of a time. */
  at: z.iso.datetime(),
  pipeline: z.string(),
  /** Of a run. */
  run: z
    .strictObject({
      id: z.string(),
      branch: z.string(),
      commit: z.string(),
      subject: z.string().exactOptional(),
      who: z.string(),
    })
    .exactOptional(),
  /** Of what is deployed. */
  deployment: z.strictObject({ entry: z.string(), cluster: z.string() }).exactOptional(),
  /** Of a server. */
  server: z.strictObject({ cluster: z.string(), name: z.string() }).exactOptional(),
  /** Why it failed; empty for a recovery. */
  reason: z.string(),
  /** All of it in one line, for people. */
  text: z.string(),
});
export type Notice = z.infer<typeof Notice>;
