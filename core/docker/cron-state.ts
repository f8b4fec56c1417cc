import type { Job } from '#core/docker/kinds.ts';
import type { JobState } from '#core/docker/job-state.ts';
import type { JobRules } from '#core/docker/workload.ts';

const MINUTE_MS = 60_000;

/** What a CronJob says beside what its Jobs are. */
export interface CronRules {
  schedule: string;
  timeZone?: string;
  concurrency: 'Allow' | 'Forbid' | 'Replace';
  startingDeadlineSeconds?: number;
  suspend: boolean;
  /** How many Jobs that ended are kept. */
  keep: { succeeded: number; failed: number };
  /** What its Jobs are made from. */
  spec: Job['spec'];
  job: JobRules;
}

/** One of its Jobs. */
export interface CronRun {
  /** The time that it was to start at (ms since the epoch). */
  at: number;
  /** Which of the specs it was made from. */
  spec: string;
  state: JobState;
}

/** What a CronJob remembers, in its record. Times are milliseconds since the epoch. */
export interface CronState {
  /** Since when there is one: what was to start before is not missed. */
  since: number;
  /** The time that the last Job was to start at. */
  last?: number;
  runs: CronRun[];
  /** Of runs that were made from another spec than the CronJob has now. */
  specs?: Record<string, Job['spec']>;
  /** Why the Job failed that ended last; absent where it succeeded. */
  failure?: string;
  /** Before the last one so many starts were missed that they were not counted. */
  missedMany?: true;
}

/** As Kubernetes names it. */
export function runName(cronJob: string, at: number): string {
  return `${cronJob}-${Math.floor(at / MINUTE_MS)}`;
}
