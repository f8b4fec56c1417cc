import type { Logger } from 'pino';
import type { KeyedLock } from '#adapters/git/keyed-lock.ts';
import type { Note } from '#core/by-hand/by-hand.ts';
import type { DesiredState } from '#core/engine.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { LogLine, RunStore, ServerApi } from '#core/ports.ts';
import { planLines } from '#core/present/plan-lines.ts';
import type { Release } from '#core/release/release.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { isReleasing } from '#core/run/transition.ts';
import { closedText, windowState } from '#core/windows/window-state.ts';
import type { Controller, Outcome } from './controller.ts';
import { deadlineMsOf, readDesired } from './desired.ts';

const RESTORE_PATIENCE_MS = 60_000;

export interface DeployContext {
  runs: RunStore;
  server: ServerApi;
  controller: Controller;
  /** By owner, so that what is released last is also what the controller wants last. */
  oneAtATime: KeyedLock;
  now: () => number;
  log: Logger;
}

interface DeployJob {
  runId: string;
  entry: string;
}

/**
 * Releases one entry of a run and brings it to serve. Killed at any point and called again it goes on: the server
 * answers the same release for the same run, and the controller finds what was done.
 *
 * `cancel` ends the wait and puts the last healthy release back; `stop` ends it and leaves everything to the next call.
 */
export async function runDeploy(
  job: DeployJob,
  context: DeployContext,
  cancel: AbortSignal,
  stop: AbortSignal,
): Promise<void> {
  const { runs, now } = context;
  const run = await runs.get(job.runId);
  if (run === undefined || isFinished(run)) return;
  await waitForWindow(run, job.entry, context, stop);
  const begun = await context.oneAtATime(ownerKey(run.pipeline, job.entry), stop, () =>
    begin(run, job.entry, context, AbortSignal.any([cancel, stop]), stop),
  );
  if (begun === undefined) return;
  const { release, desired } = begun;
  const outcome = await begun.outcome;
  if (outcome === 'aborted') {
    stop.throwIfAborted();
    if (await isDeployed(run.id, job.entry, runs)) return;
    const restored = await restore(run, { release, desired }, 'cancelled', context, stop);
    await runs.apply(run.id, { kind: 'cancelled', at: now(), ...restoredCommit(restored) });
    return;
  }
  await end(run, { release, desired }, outcome, context, stop);
}

/** Whether somebody else has brought it to its end: a worker that had the job before. */
async function isDeployed(runId: string, entry: string, runs: RunStore): Promise<boolean> {
  const run = await runs.get(runId);
  return run?.deploys.find((deploy) => deploy.entry === entry)?.state === 'succeeded';
}

/** The deploy may not begin yet: it is to be called again then. */
export class WindowClosed extends Error {
  override readonly name = 'WindowClosed';
  /** Milliseconds since the epoch. */
  readonly lookAt: number;

  constructor(lookAt: number) {
    super('deploys are closed');
    this.lookAt = lookAt;
  }
}

/** Somebody may open it, or cancel the run. */
const LOOK_AGAIN_MS = 15_000;

/** @throws WindowClosed where the entry's windows say so and nobody has said otherwise; what has begun goes on */
async function waitForWindow(
  run: Run,
  entry: string,
  { runs, server, controller, now }: DeployContext,
  stop: AbortSignal,
): Promise<void> {
  const windows =
    controller.windowsOf(ownerKey(run.pipeline, entry)) ??
    run.spec.deploy.find((each) => entryName(each) === entry)?.windows ??
    [];
  const state = windowState(windows, now());
  if (state.isOpen || run.cancelRequested || isReleasing(run, entry)) return;
  const { opened } = (await server.byHand(stop))[ownerKey(run.pipeline, entry)] ?? {};
  if (opened !== undefined && opened.until > now() && state.mayOverride) return;
  const reason = closedText(state);
  const told = run.deploys.find((deploy) => deploy.entry === entry)?.reason;
  if (told !== reason) {
    const step = `release ${entry}`;
    await runs.appendLog(run.id, [{ at: now(), step, line: `waiting: ${reason}` }]);
    await runs.apply(run.id, { kind: 'waiting', entry, reason, at: now() });
  }
  throw new WindowClosed(Math.min(now() + LOOK_AGAIN_MS, state.opensAt ?? Infinity));
}

/** A release as the controller wants it. */
interface Wanted {
  release: Release;
  desired: DesiredState;
}

/** Releases the entry and gives it to the controller; nothing where something newer is there. */
async function begin(
  run: Run,
  entry: string,
  context: DeployContext,
  wait: AbortSignal,
  stop: AbortSignal,
): Promise<(Wanted & { outcome: Promise<Outcome | 'aborted'> }) | undefined> {
  const { runs, server, now } = context;
  const started = await runs.apply(run.id, { kind: 'started', at: now() });
  if (started.cancelRequested && !isReleasing(started, entry)) {
    await runs.apply(run.id, { kind: 'cancelled', at: now() });
    return undefined;
  }
  const newer = await newerRelease(run, entry, runs);
  if (newer !== undefined) {
    await runs.apply(run.id, { kind: 'superseded', by: newer.id, at: now() });
    return undefined;
  }
  const release = await releaseEntry(run, entry, context, stop);
  if (release === undefined) return undefined;
  const [replaced, desired] = await Promise.all([
    // Only where an earlier call began it can another head have taken its place since.
    isReleasing(started, entry) ? replacedBy(release, run, context, stop) : undefined,
    readDesired(ownerKey(run.pipeline, entry), release.commit, () =>
      server.manifests(run.pipeline, release.commit, stop),
    ),
    tellReleased(run, release, context),
  ]);
  if (replaced !== undefined) {
    await endReplaced(run, entry, release, replaced, context);
    return undefined;
  }
  return { release, desired, outcome: waitFor(run, entry, desired, context, wait) };
}

/** Nothing where the run has ended meanwhile: from the recorded step on no newer run ends it. */
async function releaseEntry(
  run: Run,
  entry: string,
  { runs, server, now }: DeployContext,
  signal: AbortSignal,
): Promise<Release | undefined> {
  const step = `release ${entry}`;
  const before = await runs.apply(run.id, { kind: 'step', step, state: 'running', at: now() });
  if (isFinished(before)) return undefined;
  return server.release(run.id, entry, signal);
}

async function tellReleased(
  run: Run,
  { entry, commit }: Release,
  { runs, now }: DeployContext,
): Promise<void> {
  await runs.apply(run.id, { kind: 'released', entry, release: commit, at: now() });
  const step = `deploy ${entry}`;
  await runs.apply(run.id, { kind: 'step', step, state: 'running', at: now() });
}

/** A run recorded later that has released the entry already, or may have: this one would go back in time. */
async function newerRelease(run: Run, entry: string, runs: RunStore): Promise<Run | undefined> {
  const { pipeline, branch, createdAt: since } = run;
  const others = await runs.list({ pipeline, branch, since, limit: 50 });
  return others.find((other) => other.createdAt > run.createdAt && isReleasing(other, entry));
}

/** The head that took the release's place while no worker looked: its restoration, or another run's release. */
async function replacedBy(
  release: Release,
  run: Run,
  { server }: DeployContext,
  signal: AbortSignal,
): Promise<Release | undefined> {
  const cluster = run.deploys.find((deploy) => deploy.entry === release.entry)?.cluster ?? '';
  const { releases } = await server.heads(cluster, signal);
  const head = releases.find(
    (each) => each.pipeline === release.pipeline && each.entry === release.entry,
  );
  return head === undefined || head.commit === release.commit ? undefined : head;
}

async function endReplaced(
  run: Run,
  entry: string,
  release: Release,
  head: Release,
  { runs, now }: DeployContext,
): Promise<void> {
  if (head.restores === undefined || head.runId !== undefined) {
    await runs.apply(run.id, { kind: 'superseded', by: head.runId ?? head.commit, at: now() });
    return;
  }
  const reason = `release ${release.commit.slice(0, 12)} did not become healthy`;
  await runs.apply(run.id, {
    kind: 'deploy-failed',
    entry,
    reason,
    restored: head.commit,
    at: now(),
  });
}

async function waitFor(
  run: Run,
  entry: string,
  desired: DesiredState,
  { runs, controller, now, log }: DeployContext,
  signal: AbortSignal,
): Promise<Outcome | 'aborted'> {
  const step = `deploy ${entry}`;
  const writes: Promise<unknown>[] = [];
  function write(lines: readonly string[]): void {
    const at = now();
    writes.push(
      runs.appendLog(
        run.id,
        lines.map((line): LogLine => ({ at, step, line })),
      ),
    );
  }
  let told = '';
  try {
    return await controller.deploy(
      {
        desired,
        runId: run.id,
        deadlineMs: deadlineMsOf(desired),
        onPlan: (done, held) => {
          const plan = [...done, ...held];
          write(plan.length === 0 ? ['nothing to change'] : planLines(plan));
          writes.push(runs.apply(run.id, { kind: 'planned', entry, plan, at: now() }));
        },
        onWaiting: (reason) => {
          if (reason === told || reason === '') return;
          told = reason;
          write([`waiting: ${reason}`]);
          writes.push(runs.apply(run.id, { kind: 'waiting', entry, reason, at: now() }));
        },
      },
      signal,
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    return 'aborted';
  } finally {
    for (const written of await Promise.allSettled(writes)) {
      if (written.status === 'rejected')
        log.warn({ run: run.id, err: written.reason as unknown }, 'progress not recorded');
    }
  }
}

async function end(
  run: Run,
  wanted: Wanted,
  outcome: Outcome,
  context: DeployContext,
  stop: AbortSignal,
): Promise<void> {
  const { runs, server, now } = context;
  const { entry, commit } = wanted.release;
  switch (outcome.kind) {
    case 'serving':
      await server.markHealthy(run.pipeline, entry, commit, stop);
      await runs.apply(run.id, { kind: 'deployed', entry, held: outcome.held, at: now() });
      return;
    case 'superseded':
      await runs.apply(run.id, { kind: 'superseded', by: outcome.by, at: now() });
      return;
    case 'suspended':
      await runs.apply(run.id, {
        kind: 'deploy-failed',
        entry,
        reason: suspendedText(run, entry, outcome.by),
        at: now(),
      });
      return;
    case 'failed': {
      const restored = await restore(run, wanted, outcome.reason, context, stop);
      const reason =
        restored === undefined
          ? `${outcome.reason}; there is no earlier healthy release to go back to`
          : outcome.reason;
      await runs.apply(run.id, {
        kind: 'deploy-failed',
        entry,
        reason,
        at: now(),
        ...restoredCommit(restored),
      });
    }
  }
}

/** Puts the last healthy release back and gives it a while to serve, so that the run's end tells the truth. */
async function restore(
  run: Run,
  wanted: Wanted,
  reason: string,
  context: DeployContext,
  stop: AbortSignal,
): Promise<Release | undefined> {
  const { server, runs, now, log } = context;
  const begun = await context.oneAtATime(wanted.desired.owner, stop, () =>
    beginRestore(run, wanted, reason, context, stop),
  );
  if (begun === undefined) return undefined;
  const restored = begun.release;
  const { entry } = restored;
  try {
    const outcome = await begun.outcome;
    if (outcome.kind === 'serving')
      await server.markHealthy(run.pipeline, entry, restored.commit, stop);
    else {
      const line = `the release put back: ${outcome.kind === 'failed' ? outcome.reason : outcome.kind}`;
      await runs.appendLog(run.id, [{ at: now(), step: `deploy ${entry}`, line }]);
    }
  } catch (error) {
    stop.throwIfAborted();
    log.error({ run: run.id, err: error }, 'the release put back was not seen to serve');
    throw new UserError('deploy-failed', messageOf(error), { cause: error });
  }
  return restored;
}

async function beginRestore(
  run: Run,
  { release, desired }: Wanted,
  reason: string,
  context: DeployContext,
  stop: AbortSignal,
): Promise<{ release: Release; outcome: Promise<Outcome> } | undefined> {
  const { server, controller, runs, now } = context;
  const { pipeline, entry } = release;
  const restored = await server.restore(pipeline, entry, release.commit, reason, stop);
  if (restored === undefined) {
    // Nothing to go back to: what the branch says is what runs.
    if ((await replacedBy(release, run, context, stop)) === undefined)
      controller.keep(desired, run.id);
    return undefined;
  }
  const before = await readDesired(desired.owner, restored.commit, () =>
    server.manifests(pipeline, restored.commit, stop),
  );
  const line = `putting back release ${restored.restores?.slice(0, 12) ?? ''}`;
  await runs.appendLog(run.id, [{ at: now(), step: `deploy ${entry}`, line }]);
  const deployment = {
    desired: before,
    runId: run.id,
    deadlineMs: RESTORE_PATIENCE_MS,
    onPlan: () => undefined,
    onWaiting: () => undefined,
  };
  return { release: restored, outcome: controller.deploy(deployment, stop) };
}

function suspendedText({ pipeline }: Run, entry: string, { who, reason }: Note): string {
  const why = reason === undefined ? '' : ` (${reason})`;
  return `${who} suspended ${ownerKey(pipeline, entry)}${why}; it goes on with: windlass resume ${pipeline} ${entry}`;
}

function restoredCommit(release: Release | undefined): { restored?: string } {
  return release === undefined ? {} : { restored: release.commit };
}
