import { z } from 'zod';
import { WorkloadName } from '#core/api/cluster.ts';
import { ClusterEvent } from '#core/events/event.ts';

/**
 * `GET /api/v1/clusters/:name/events?owner=&workload=Deployment/web&namespace=&limit=&follow=1`: NDJSON, newest last.
 * `owner` is a pipeline or `pipeline/entry`.
 */
export const EventQuery = z.strictObject({
  owner: z.string().exactOptional(),
  workload: WorkloadName.exactOptional(),
  namespace: z.string().default('default'),
  limit: z.coerce.number().int().min(0).max(5_000).default(200),
  follow: z.enum(['0', '1']).default('0'),
});

/** A line of it. */
export const EventLine = ClusterEvent;
export type EventLine = ClusterEvent;
