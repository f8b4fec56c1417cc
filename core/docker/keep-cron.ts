import { keepRuns } from '#core/docker/cron-runs.ts';
import type { CronRules } from '#core/docker/cron-state.ts';
import { keepJob } from '#core/docker/keep-job.ts';
import { ownPods } from '#core/docker/keep-pods.ts';
import type { Kept, KeptPods } from '#core/docker/keep-pods.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import { JOB_NAME } from '#core/docker/workload.ts';
import type { LiveRecord } from '#core/docker/world.ts';

/** What a CronJob needs next: its Jobs, each kept as others are, and a new one when its time has come. */
export function keepCron(
  kept: Kept,
  cron: CronRules,
  recorded: Pick<LiveRecord, 'resource' | 'cron'> | undefined,
): KeptPods {
  const { workload, now } = kept;
  const { jobs, state, ...told } = keepRuns({ workload, cron, recorded, now }, (job, before) => {
    const own = kept.pods.filter((pod) => pod.labels[JOB_NAME] === job.metadata.name);
    const pods = keepJob({ ...kept, workload: job, pods: own }, job.job, before);
    return pods.job === undefined ? undefined : { state: pods.job, kept: pods };
  });
  return { ...together(kept, jobs), ...told, complete: true, cron: state };
}

/** What all of its Jobs need; pods of others go. */
function together(
  kept: Kept,
  jobs: readonly KeptPods[],
): Pick<KeptPods, 'key' | 'pods' | 'specs' | 'steps' | 'leaving' | 'why'> {
  const known = new Set(jobs.flatMap(({ pods }) => pods));
  const left = ownPods(kept).filter((pod) => pod.deletingSince === undefined && !known.has(pod));
  return {
    key: keeperOf(kept.workload),
    pods: [...known],
    specs: new Map(jobs.flatMap(({ specs }) => [...specs])),
    steps: jobs.flatMap(({ steps }) => steps),
    leaving: [...jobs.flatMap(({ leaving }) => leaving), ...left],
    // It is as in git whatever its Jobs do.
    why: [],
  };
}
