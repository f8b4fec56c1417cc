import { heldText } from '#core/present/held-text.ts';
import type { RunEvent } from '#core/run/events.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run, RunDeploy, RunState, RunStep, StepState } from '#core/run/run.ts';

/**
 * The run after `event`; the same object where the event no longer applies, so that a report which arrives late or
 * twice changes nothing. A finished run never changes again.
 */
export function transition(run: Run, event: RunEvent): Run {
  if (isFinished(run)) return run;
  switch (event.kind) {
    case 'started':
      return run.state === 'queued' ? { ...run, state: 'running', startedAt: event.at } : run;
    case 'resolved':
      return { ...run, commit: event.commit, subject: event.subject };
    case 'step':
      return settle(withStep(run, event.step, event.state, event.at, event.detail), event.at);
    case 'image':
      return { ...run, images: { ...run.images, [event.image]: event.reference } };
    case 'rendered':
      return settle(withStep(run, 'render', 'succeeded', event.at), event.at);
    case 'released':
      return withStep(
        withDeploy(run, event.entry, { release: event.release, state: 'running' }),
        `release ${event.entry}`,
        'succeeded',
        event.at,
        event.release,
      );
    case 'planned':
      return withDeploy(run, event.entry, { plan: event.plan });
    case 'waiting':
      return withDeploy(run, event.entry, { reason: event.reason });
    case 'deployed':
      return settle(deployed(run, event), event.at);
    case 'deploy-failed':
      return deployFailed(run, event);
    case 'failed':
      return end(run, 'failed', event.reason, event.at);
    case 'cancel-requested':
      return run.state === 'queued'
        ? end(run, 'cancelled', `cancelled by ${event.who}`, event.at)
        : { ...run, cancelRequested: true, reason: `cancelled by ${event.who}` };
    case 'cancelled':
      return cancelled(run, event);
    case 'overtaken':
      return isDeploying(run) ? run : superseded(run, event);
    case 'superseded':
      return superseded(run, event);
  }
}

/** Rendered (or a rollback, which builds nothing): only deploys are left. */
export function isBuilt(run: Run): boolean {
  return run.steps.every((step) => step.name !== 'render' || step.state === 'succeeded');
}

/** Whether a deploy of it has begun: from then on it may change a cluster. */
export function isDeploying(run: Run): boolean {
  return run.deploys.some(({ entry }) => isReleasing(run, entry));
}

/**
 * Whether the entry has a release of the run, or may have: told before the server is asked for one. A run that ended
 * before that skipped it.
 */
export function isReleasing(run: Run, entry: string): boolean {
  return run.steps.some(
    ({ name, state }) => name === `release ${entry}` && state !== 'pending' && state !== 'skipped',
  );
}

/** A newer run of the same pipeline and branch ends the older ones that have not begun to deploy. */
export function isSupersededBy(older: Run, newer: Run): boolean {
  return (
    older.id !== newer.id &&
    older.pipeline === newer.pipeline &&
    older.branch === newer.branch &&
    older.createdAt <= newer.createdAt &&
    !isFinished(older) &&
    !isDeploying(older)
  );
}

function deployed(
  run: Run,
  { entry, held = [], at }: Extract<RunEvent, { kind: 'deployed' }>,
): Run {
  const waits = held.length === 0 ? undefined : heldText(run.pipeline, entry, held);
  return withStep(
    withDeploy(run, entry, {
      state: 'succeeded',
      reason: waits ?? '',
      ...(waits === undefined ? {} : { held }),
    }),
    `deploy ${entry}`,
    'succeeded',
    at,
    waits,
  );
}

function deployFailed(run: Run, event: Extract<RunEvent, { kind: 'deploy-failed' }>): Run {
  const deploy: Partial<RunDeploy> = {
    state: 'failed',
    reason: event.reason,
    ...(event.restored === undefined ? {} : { restored: event.restored }),
  };
  const failed = withDeploy(run, event.entry, deploy);
  return end(
    withStep(failed, `deploy ${event.entry}`, 'failed', event.at, event.reason),
    'failed',
    `deploy ${event.entry}: ${event.reason}`,
    event.at,
  );
}

function superseded(run: Run, { by, at }: { by: string; at: number }): Run {
  return { ...end(run, 'superseded', `superseded by run ${by}`, at), supersededBy: by };
}

function cancelled(run: Run, event: Extract<RunEvent, { kind: 'cancelled' }>): Run {
  const ended = end(run, 'cancelled', run.reason === '' ? 'cancelled' : run.reason, event.at);
  if (event.restored === undefined) return ended;
  const { restored } = event;
  return {
    ...ended,
    deploys: ended.deploys.map((deploy) =>
      deploy.state === 'cancelled' ? { ...deploy, restored } : deploy,
    ),
  };
}

/** Succeeded once it is built and every deploy has succeeded. */
function settle(run: Run, at: number): Run {
  const done = isBuilt(run) && run.deploys.every((deploy) => deploy.state === 'succeeded');
  if (!done) return run;
  // A step whose report was lost is not left open.
  const steps = run.steps.map((step) => endStep(step, 'succeeded', at));
  return { ...run, steps, state: 'succeeded', reason: '', endedAt: at };
}

/** Ends the run: what was under way ends likewise, what had not begun is skipped. */
function end(
  run: Run,
  state: Exclude<RunState, 'queued' | 'running' | 'succeeded'>,
  reason: string,
  at: number,
): Run {
  const underWay: StepState = state === 'failed' ? 'failed' : 'cancelled';
  return {
    ...run,
    state,
    reason,
    endedAt: at,
    steps: run.steps.map((step) => endStep(step, underWay, at)),
    deploys: run.deploys.map((deploy) => ({
      ...deploy,
      state: endedState(deploy.state, underWay),
    })),
  };
}

function endStep(step: RunStep, underWay: StepState, at: number): RunStep {
  const state = endedState(step.state, underWay);
  return state === step.state
    ? step
    : { ...step, state, ...(state === 'skipped' ? {} : { endedAt: at }) };
}

function endedState(state: StepState, underWay: StepState): StepState {
  if (state === 'running') return underWay;
  return state === 'pending' ? 'skipped' : state;
}

function withDeploy(run: Run, entry: string, change: Partial<RunDeploy>): Run {
  return {
    ...run,
    deploys: run.deploys.map((deploy) =>
      deploy.entry === entry ? { ...deploy, ...change } : deploy,
    ),
  };
}

function withStep(run: Run, name: string, state: StepState, at: number, detail?: string): Run {
  return {
    ...run,
    steps: run.steps.map((step) => (step.name === name ? moved(step, state, at, detail) : step)),
  };
}

function moved(step: RunStep, state: StepState, at: number, detail: string | undefined): RunStep {
  const note = detail === undefined ? {} : { detail };
  if (state === 'running') return { name: step.name, state, startedAt: at, ...note };
  return { ...step, state, startedAt: step.startedAt ?? at, endedAt: at, ...note };
}
