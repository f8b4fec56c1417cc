import { z } from 'zod';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import type { Plan } from '#core/plan/change.ts';

/** A push that arrived, whatever the way: webhook, built-in remote, sweep of heads, poll of a remote, or a person's retry. */
export const Trigger = z.strictObject({
  kind: z.enum(['push', 'webhook', 'sweep', 'poll', 'retry', 'rollback']),
  /** Full ref, e.g. `refs/heads/main`. */
  ref: z.string(),
  /** Commit before the push; absent where it is unknown or the branch is new. */
  before: z.string().optional(),
  /** Commit that was pushed. For a webhook it is a claim until a fetch has shown it reachable from the ref. */
  after: z.string(),
  /** Who pushed, as the token or forge names them. */
  who: z.string(),
});
export type Trigger = z.infer<typeof Trigger>;

export const RunState = z.enum([
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'superseded',
]);
export type RunState = z.infer<typeof RunState>;

export const StepState = z.enum([
  'pending',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'skipped',
]);
export type StepState = z.infer<typeof StepState>;

/**
 * A visible part of a run, in order: `clone`, then per image `test <image>`, `build <image>`, `push <image>`, then
 * `render`, then per deploy entry `release <entry>` and `deploy <entry>`.
 */
export interface RunStep {
  name: string;
  state: StepState;
  /** Milliseconds since the epoch. */
  startedAt?: number;
  endedAt?: number;
  /** Why it failed, or what it produced: "cached", the digest, the release commit. */
  detail?: string;
}

/** What happened at one deploy entry of a run. */
export interface RunDeploy {
  entry: string;
  cluster: string;
  /** Commit on the release branch; absent until released. */
  release?: string;
  plan?: Plan;
  /** Deletions that wait for a confirmation although it serves. */
  held?: Plan;
  state: StepState;
  /** Why it failed, or what waits. */
  reason?: string;
  /** Commit on the release branch that put the last healthy release back. */
  restored?: string;
}

/** One execution of a pipeline for one commit. Plain data, kept in Redis as JSON. Times are ms since the epoch. */
export interface Run {
  id: string;
  pipeline: string;
  /** The pipeline as declared when the run was recorded: a later edit does not change a run under way. */
  spec: PipelineSpec;
  trigger: Trigger;
  /** Branch name, or the ref where it is not a branch. */
  branch: string;
  /** Commit being built: the claim until `clone` has resolved it. */
  commit: string;
  /** First line of the commit message, once known. */
  subject?: string;
  state: RunState;
  createdAt: number;
  startedAt?: number;
  endedAt?: number;
  steps: RunStep[];
  /** Image name to `repository@sha256:…`, as the registry answered. */
  images: Record<string, string>;
  deploys: RunDeploy[];
  /** Why it ended as it did; empty while it goes on. */
  reason: string;
  /** Attempt counter of the same commit: 1 at first, +1 for each retry. */
  attempt: number;
  /** The run that took over, when superseded. */
  supersededBy?: string;
  cancelRequested: boolean;
  /** Of a rollback: the commit on the entry's release branch whose tree is brought back. Nothing is built. */
  restores?: { entry: string; release: string };
}

/** Whether it answers for what its branch has: a rollback and a retry of an old commit do not. */
export function handlesHead({ trigger, attempt }: Pick<Run, 'trigger' | 'attempt'>): boolean {
  return trigger.kind !== 'rollback' && attempt === 1;
}

export function isFinished(run: Pick<Run, 'state'>): boolean {
  return run.state !== 'queued' && run.state !== 'running';
}
