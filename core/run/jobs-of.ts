import type { RunJob } from '#core/ports.ts';
import { BUILD_QUEUE, clusterQueue, jobId } from '#core/queue/jobs.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { isBuilt } from '#core/run/transition.ts';

/**
 * The jobs that should be queued or worked on for the run as it is: the build, then one deploy after the other.
 * Derived and never stored, so that a job lost with its queue comes back by asking again.
 */
export function jobsOf(run: Run): RunJob[] {
  if (isFinished(run)) return [];
  if (!isBuilt(run)) {
    return [
      { queue: BUILD_QUEUE, name: 'build', id: jobId('build', run.id), payload: { runId: run.id } },
    ];
  }
  const next = run.deploys.find(
    (deploy) => deploy.state === 'pending' || deploy.state === 'running',
  );
  if (next === undefined) return [];
  return [
    {
      queue: clusterQueue(next.cluster),
      name: 'deploy',
      id: jobId('deploy', run.id, next.entry),
      payload: { runId: run.id, entry: next.entry },
    },
  ];
}
