import { z } from 'zod';
import { RunView } from '#core/api/run.ts';
import { PipelineSpec } from '#core/declarations/pipeline.ts';

/** `GET /api/v1/pipelines`. */
export const PipelineList = z.object({
  pipelines: z.array(
    z.object({
      name: z.string(),
      spec: PipelineSpec,
      /** Where it is declared: the server's configuration, or the pushed repository itself. */
      declaredIn: z.enum(['configuration', 'repository']),
      lastRun: RunView.exactOptional(),
    }),
  ),
});
export type PipelineList = z.infer<typeof PipelineList>;

/** `GET /api/v1/config`: where the declarations come from and whether the newest of them are in force. */
export const ConfigView = z.object({
  /** A folder, `/git/config.git`, or a URL. */
  source: z.string(),
  /** Commit in force, where it is git. */
  commit: z.string().exactOptional(),
  pipelines: z.array(z.string()),
  clusters: z.array(z.string()),
  /** Of a newer version that was refused, as `file:line:column: …`; empty when the newest is in force. */
  problems: z.array(z.string()),
  /** Milliseconds since the epoch. */
  problemsSince: z.number().exactOptional(),
});
export type ConfigView = z.infer<typeof ConfigView>;
