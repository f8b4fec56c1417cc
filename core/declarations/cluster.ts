import { z } from 'zod';
import { Name } from '#core/declarations/pipeline.ts';

export const Server = z.strictObject({
  name: Name,
  docker: z
    .string()
    .regex(/^unix:\/\/\/.+/, 'must be unix:///path/of/docker.sock')
    .describe('Address of the Docker Engine, e.g. unix:///var/run/docker.sock'),
});
export type Server = z.infer<typeof Server>;

export const ClusterSpec = z.strictObject({
  engine: z.literal('docker'),
  servers: z.array(Server).length(1, 'the docker engine has exactly one server'),
  network: z
    .strictObject({
      subnet: z.cidrv4().describe('Pods and Services get their addresses from it; /16 to /24'),
    })
    .optional(),
  reconcile: z
    .strictObject({
      intervalSeconds: z
        .int()
        .min(5)
        .max(86_400)
        .default(60)
        .describe('How often drift is looked for beside events'),
    })
    .default({ intervalSeconds: 60 }),
});
export type ClusterSpec = z.infer<typeof ClusterSpec>;

export const Cluster = z.strictObject({
  apiVersion: z.literal('windlass.dev/v1'),
  kind: z.literal('Cluster'),
  metadata: z.strictObject({ name: Name }),
  spec: ClusterSpec,
});
export type Cluster = z.infer<typeof Cluster>;
