import { keepRuns } from '#core/docker/cron-runs.ts';
import type { CronRules } from '#core/docker/cron-state.ts';
import type { JobState } from '#core/docker/job-state.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import type { Workload } from '#core/docker/workload.ts';
import { isToWrite, keepService } from '#core/swarm/keep-service.ts';
import type { Keeper, KeepScope, Kept } from '#core/swarm/keep-service.ts';
import { MARK } from '#core/swarm/marks.ts';
import { isCompleted, serviceStatus, whyFailed } from '#core/swarm/service-status.ts';
import type { SwarmRecord } from '#core/swarm/world.ts';

/** Swarm does not tell when a Job has ended, and no release waits for it. */
const LOOK_AGAIN_MS = 3_000;

/** What a CronJob needs next: a replicated job for each of its Jobs, and those gone that it has no more. */
export function keepCron(
  workload: Workload,
  cron: CronRules,
  recorded: SwarmRecord | undefined,
  scope: KeepScope,
): Keeper {
  const { now, world, owner } = scope;
  const key = keeperOf(workload);
  const { jobs, state, summary, degraded, wakeAt } = keepRuns(
    { workload, cron, recorded, now },
    (job, before) => keepRun(job, before, scope),
  );
  const parts = new Set(jobs.map(({ kept }) => kept.part));
  return {
    key,
    kept: jobs.map(({ kept }) => kept),
    steps: [
      ...jobs.flatMap(({ kept }) => (isToWrite(kept) ? kept.volumes : [])),
      ...world.services
        .filter((each) => each.key === key && each.owner === owner && !parts.has(each.part))
        .map(({ id, part }) => ({
          kind: 'removeService' as const,
          owner,
          id,
          why: `Job ${part} is kept no longer`,
        })),
    ],
    remembered: { cron: state },
    status: {
      status: {
        key,
        health:
          degraded === undefined
            ? { status: 'Healthy', reason: '' }
            : { status: 'Degraded', reason: degraded },
        summary,
        pods: jobs.flatMap(({ kept }) => serviceStatus(kept).status.pods ?? []),
      },
      ...(wakeAt === undefined ? {} : { wakeAt }),
    },
  };
}

interface KeptRun {
  kept: Kept;
  failure?: string;
  wakeAt?: number;
}

function keepRun(
  job: Workload,
  before: JobState | undefined,
  scope: KeepScope,
): { state: JobState; kept: KeptRun } {
  const { now } = scope;
  const first = keepService(job, undefined, scope);
  const run = first.wanted.Labels[MARK.run] ?? '';
  const state = before ?? { run, startedAt: now, succeeded: [], failed: {} };
  const kept = { ...first, record: recordOf(state) };
  const { failure } = serviceStatus(kept);
  const ended = finishedAt(kept, state, now);
  return {
    state: { ...state, ...ended },
    kept: {
      kept,
      ...(failure === undefined ? {} : { failure }),
      ...(ended.finished === undefined ? { wakeAt: now + LOOK_AGAIN_MS } : {}),
    },
  };
}

/** What the record of a Job would say. */
function recordOf({ run, startedAt = 0, finished }: JobState): Kept['record'] {
  const { reason, message = '' } = finished ?? {};
  if (finished === undefined) return { recordedAt: startedAt };
  if (reason === undefined) return { recordedAt: startedAt, done: run };
  return { recordedAt: startedAt, failed: { run, why: message } };
}

function finishedAt(kept: Kept, { finished }: JobState, at: number): Pick<JobState, 'finished'> {
  if (finished !== undefined) return { finished };
  if (isCompleted(kept)) return { finished: { at } };
  const why = whyFailed(kept);
  return why === undefined
    ? {}
    : { finished: { at, reason: 'BackoffLimitExceeded', message: why } };
}
