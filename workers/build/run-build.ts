import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { isBuilt } from '#core/run/transition.ts';
import { buildImages } from './build-images.ts';
import type { BuildContext, Source } from './context.ts';
import { readManifests } from './manifests.ts';
import type { EntryManifests } from './manifests.ts';
import { handOver } from './hand-over.ts';
import { createRunLog } from './run-log.ts';
import { sourceOf } from './source.ts';
import { createSteps } from './steps.ts';
import type { DoStep } from './steps.ts';

/**
 * Takes a run from its commit to rendered manifests on the server. Killed at any point and called again it goes on:
 * what was done is done again out of the caches, and the server takes the same manifests twice.
 */
export async function runBuild(
  runId: string,
  context: BuildContext,
  signal: AbortSignal,
): Promise<void> {
  const run = await begin(runId, context);
  if (run === undefined) return;
  const log = createRunLog(context.runs, run.id, context.now);
  const doStep = createSteps(context.runs, run.id, log, context.now, signal);
  // Not shared with an earlier try that may still be ending.
  const checkout = join(context.settings.checkouts, `${run.id}.${randomUUID()}`);
  try {
    const source = await clone(run, checkout, context, doStep, signal);
    const manifests = await checkManifests(run, source, context, doStep, signal);
    const images = await buildImages(run, source, context, doStep, signal);
    await handOver(run, { manifests, images }, context, doStep, signal);
  } finally {
    await log.flush();
    await rm(checkout, { recursive: true, force: true });
  }
}

async function begin(runId: string, { runs, now }: BuildContext): Promise<Run | undefined> {
  const run = await runs.get(runId);
  if (run === undefined || isFinished(run) || isBuilt(run)) return undefined;
  return runs.apply(run.id, { kind: 'started', at: now() });
}

function clone(
  run: Run,
  checkout: string,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<Source> {
  return doStep('clone', async (onLine) => {
    // Else a restart of the server would cost one of the job's few tries.
    if (run.spec.source.url === undefined) await context.server.whenUp(signal);
    const remote = await sourceOf(run, context.settings, context.readSecret);
    const asked = { ...remote, ref: run.trigger.ref, commit: run.commit, into: checkout };
    const resolved = await context.mirrors.checkout(asked, onLine, signal);
    if (resolved.moved)
      onLine(
        `${run.commit.slice(0, 12)} is not on ${run.branch} any more: its head is built instead`,
      );
    onLine(`${resolved.commit} ${resolved.subject} (${resolved.author})`);
    const { commit, subject } = resolved;
    await context.runs.apply(run.id, { kind: 'resolved', commit, subject, at: context.now() });
    return { value: { ...resolved, checkout, url: remote.url }, detail: commit };
  });
}

/** Before time is spent on building. What is wrong with them is the step's that would use them. */
async function checkManifests(
  run: Run,
  source: Source,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<readonly EntryManifests[]> {
  try {
    return await readManifests(run, source, context, signal);
  } catch (error) {
    return doStep('render', () => Promise.reject(error as Error));
  }
}
