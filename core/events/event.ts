import { z } from 'zod';

/** Something that happened on a cluster, in the words of Kubernetes' own events. */
export const ClusterEvent = z.object({
  /** Milliseconds since the epoch. */
  at: z.number(),
  type: z.enum(['Normal', 'Warning']),
  /** Whose it is; absent where it is about the cluster. */
  owner: z.string().exactOptional(),
  /** Key of the resource that it is about. */
  resource: z.string().exactOptional(),
  pod: z.string().exactOptional(),
  /** One word: Created, Degraded, Restarted, Suspended. */
  reason: z.string(),
  message: z.string(),
});
export type ClusterEvent = z.infer<typeof ClusterEvent>;

export interface EventFilter {
  /** A pipeline, or a deploy entry as `pipeline/entry`. */
  owner?: string;
  /** Key of a resource. */
  resource?: string;
}

export function isAbout(event: ClusterEvent, { owner, resource }: EventFilter): boolean {
  if (resource !== undefined && event.resource !== resource) return false;
  return (
    owner === undefined || event.owner === owner || event.owner?.startsWith(`${owner}/`) === true
  );
}
