import { z } from 'zod';
import { PlanView } from '#core/api/plan.ts';
import { RunState, StepState, Trigger } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

/** A run as the API tells it: all but the pipeline's spec. Times are milliseconds since the epoch. */
export const RunView = z.object({
  id: z.string(),
  pipeline: z.string(),
  trigger: Trigger,
  branch: z.string(),
  commit: z.string(),
  subject: z.string().exactOptional(),
  state: RunState,
  createdAt: z.number(),
  startedAt: z.number().exactOptional(),
  endedAt: z.number().exactOptional(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: StepState,
      startedAt: z.number().exactOptional(),
      endedAt: z.number().exactOptional(),
      detail: z.string().exactOptional(),
    }),
  ),
  images: z.record(z.string(), z.string()),
  deploys: z.array(
    z.object({
      entry: z.string(),
      cluster: z.string(),
      release: z.string().exactOptional(),
      plan: PlanView.exactOptional(),
      held: PlanView.exactOptional(),
      state: StepState,
      reason: z.string().exactOptional(),
      restored: z.string().exactOptional(),
    }),
  ),
  reason: z.string(),
  attempt: z.number(),
  supersededBy: z.string().exactOptional(),
  cancelRequested: z.boolean(),
  restores: z.object({ entry: z.string(), release: z.string() }).exactOptional(),
});
export type RunView = z.infer<typeof RunView>;

/** `GET /api/v1/runs?pipeline=&branch=&limit=`, newest first. */
export const RunList = z.object({ runs: z.array(RunView) });
export type RunList = z.infer<typeof RunList>;

export const RunQuery = z.strictObject({
  pipeline: z.string().exactOptional(),
  branch: z.string().exactOptional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

export const RunLogQuery = z.strictObject({ follow: z.enum(['0', '1']).default('0') });

/**
 * A line of `GET /api/v1/runs/:id/logs[?follow=1]` (NDJSON): the log, and the run after each change. The run is also
 * the last line; with `follow` it is finished then.
 */
export const RunLogEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('log'), at: z.number(), step: z.string(), line: z.string() }),
  z.object({ kind: z.literal('run'), run: RunView }),
]);
export type RunLogEvent = z.infer<typeof RunLogEvent>;

/** `POST /api/v1/rollback`: a new run that releases an earlier tree. Without `to`: the last healthy one before the head. */
export const RollbackRequest = z.strictObject({
  pipeline: z.string(),
  /** May be left out where the pipeline has one entry. */
  entry: z.string().exactOptional(),
  to: z.string().exactOptional(),
});
export type RollbackRequest = z.infer<typeof RollbackRequest>;

export function viewRun(run: Run): RunView {
  const { spec: _, ...view } = run;
  return view;
}
