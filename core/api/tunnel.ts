import { z } from 'zod';
import { WorkloadName } from '#core/api/cluster.ts';

/**
 * `GET /api/v1/clusters/:name/exec?workload=Deployment/web&namespace=&container=`, a WebSocket: frames as in
 * core/tunnel, the first of them says what to run.
 */
export const ExecQuery = z.strictObject({
  workload: WorkloadName,
  namespace: z.string().default('default'),
  container: z.string().exactOptional(),
});

/** `GET /api/v1/clusters/:name/connect?workload=Deployment/web&namespace=&port=`, a WebSocket for one connection. */
export const ConnectQuery = z.strictObject({
  workload: WorkloadName,
  namespace: z.string().default('default'),
  port: z.coerce.number().int().min(1).max(65_535),
});
