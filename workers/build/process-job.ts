import { DelayedError, UnrecoverableError } from 'bullmq';
import type { Job } from 'bullmq';
import { messageOf, UserError } from '#core/errors.ts';
import type { RunNews } from '#core/ports.ts';
import { jobs } from '#core/queue/jobs.ts';
import { isFinished } from '#core/run/run.ts';
import type { BuildContext } from './context.ts';
import { runBuild } from './run-build.ts';
import { BuildStopped } from './stop-reason.ts';

/** How long a job that this worker hands back rests before another takes it. */
const HAND_BACK_MS = 200;

/**
 * Does one job of the queue. `released` ends it without a verdict: the job goes back. Only what may pass by itself is
 * left to BullMQ's retries; everything else ends the run.
 */
export async function processJob(
  job: Job,
  context: BuildContext,
  released: AbortSignal,
  token: string | undefined,
): Promise<void> {
  const { runId } = jobs.build.parse(job.data);
  const run = await context.runs.get(runId);
  if (run === undefined || isFinished(run)) return;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new BuildStopped('deadline')),
    run.spec.timeoutSeconds * 1_000,
  );
  const orders = followOrders(runId, context);
  try {
    await runBuild(runId, context, AbortSignal.any([released, orders.signal, deadline.signal]));
  } catch (error) {
    await settle(job, runId, error, context, token);
  } finally {
    clearTimeout(timer);
    orders.end();
  }
}

/** A signal that aborts when the run is cancelled, superseded or otherwise over. */
function followOrders(
  runId: string,
  { runs, log }: BuildContext,
): { signal: AbortSignal; end: () => void } {
  const stopped = new AbortController();
  const ended = new AbortController();
  function onNews(news: RunNews): void {
    if (news.kind !== 'run') return;
    if (isFinished(news.run)) stopped.abort(new BuildStopped('ended'));
    else if (news.run.cancelRequested) stopped.abort(new BuildStopped('cancelled'));
  }
  runs.follow(runId, onNews, ended.signal).catch((error: unknown) => {
    log.error({ run: runId, err: error }, 'the run cannot be followed: a cancel will not be heard');
  });
  return { signal: stopped.signal, end: () => ended.abort() };
}

async function settle(
  job: Job,
  runId: string,
  error: unknown,
  context: BuildContext,
  token: string | undefined,
): Promise<void> {
  const { runs, now, log } = context;
  if (error instanceof BuildStopped) {
    switch (error.why) {
      case 'ended':
        return;
      case 'cancelled':
        await runs.apply(runId, { kind: 'cancelled', at: now() });
        return;
      case 'released':
        await job.moveToDelayed(now() + HAND_BACK_MS, token);
        throw new DelayedError();
      case 'deadline':
        return fail(runId, deadlineText(await runs.get(runId)), context);
    }
  }
  if (!(error instanceof UserError)) {
    log.error({ run: runId, err: error }, 'a build ended by a mistake of ours');
    return fail(runId, `internal error: ${messageOf(error)}`, context);
  }
  const attempts = job.opts.attempts ?? 1;
  const isLast = job.attemptsMade + 1 >= attempts;
  if (error.transient && !isLast) {
    const line = `this may pass by itself: trying again (${job.attemptsMade + 2} of ${attempts})`;
    await runs.appendLog(runId, [{ at: now(), step: await runningStep(runId, context), line }]);
    throw error;
  }
  const tried = error.transient && attempts > 1 ? ` (tried ${attempts} times)` : '';
  const hint = error.hint === undefined ? '' : `; ${error.hint}`;
  return fail(runId, `${error.message}${tried}${hint}`, context);
}

async function fail(runId: string, reason: string, { runs, now }: BuildContext): Promise<never> {
  await runs.apply(runId, { kind: 'failed', reason, at: now() });
  throw new UnrecoverableError(reason);
}

async function runningStep(runId: string, { runs }: BuildContext): Promise<string> {
  const run = await runs.get(runId);
  return run?.steps.find((step) => step.state === 'running')?.name ?? 'clone';
}

function deadlineText(run: { spec: { timeoutSeconds: number } } | undefined): string {
  const seconds = run?.spec.timeoutSeconds ?? 0;
  return `the build took longer than ${seconds} s; raise timeoutSeconds of the pipeline if it needs that long`;
}
