import { z } from 'zod';
import { FleetView } from '#core/api/cluster.ts';
import { Server } from '#core/declarations/cluster-server.ts';

/** `GET /api/v1/clusters/:name/servers`: as the controller last reported them. */
export const ServersAnswer = FleetView.extend({
  cluster: z.string(),
  controller: z.string().exactOptional(),
  /** When they were reported, in milliseconds since the epoch; absent where that was never. */
  at: z.number().exactOptional(),
  /** Why nothing can be told of workloads. */
  error: z.string().exactOptional(),
});
export type ServersAnswer = z.infer<typeof ServersAnswer>;

/** `POST /api/v1/clusters/:name/servers/plan`: what would be done if these were the servers of the file. */
export const ServersPlanRequest = z.strictObject({ servers: z.array(Server) });
export type ServersPlanRequest = z.infer<typeof ServersPlanRequest>;

/** `POST /api/v1/clusters/:name/servers/recover`: for a swarm that has lost its quorum. */
export const RecoverRequest = z.strictObject({
  /** The manager that it goes on with. */
  from: z.string(),
  /** Without it nothing is done but told. */
  confirmed: z.boolean().default(false),
});
export type RecoverRequest = z.input<typeof RecoverRequest>;

export const RecoverAnswer = z.object({
  cluster: z.string(),
  from: z.string(),
  /** What it does, a line each. */
  does: z.array(z.string()),
  done: z.boolean(),
});
export type RecoverAnswer = z.infer<typeof RecoverAnswer>;
