import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import type { JobQueue, RunJob, RunStore } from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { branchOf, newRun } from '#core/run/new-run.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run, Trigger } from '#core/run/run.ts';
import { isDeploying, isSupersededBy } from '#core/run/transition.ts';
import { createBatches } from './batches.ts';
import type { Repositories } from './git/repositories.ts';
import type { KnownPipelines } from './known-pipelines.ts';
import type { Releases } from './releases/releases.ts';

const RECORD_TIMEOUT_MS = 60_000;

interface Target {
  pipeline: string;
  spec: PipelineSpec;
}

/** Runs to record; none where there is nothing to record after all. */
interface Recording {
  make: () => Promise<readonly Run[]> | readonly Run[];
  delivery?: string;
}

interface Made {
  runs: readonly Run[];
  delivery: string | undefined;
}

interface Recorded {
  runs: readonly Run[];
  /** False where the delivery was recorded before, and so nothing now. */
  isNew: boolean;
}

/** Makes runs of triggers and sees to it that each unfinished run has its job. */
export interface Orchestrator {
  /** A new run, recorded and queued; with a delivery that was seen before, nothing. */
  receive(trigger: Trigger, target: Target): Promise<Run>;
  receiveAll(
    trigger: Trigger,
    targets: readonly Target[],
    delivery: string,
  ): Promise<{ runs: readonly Run[]; seenBefore: boolean }>;
  retry(id: string, who: string): Promise<Run>;
  cancel(id: string, who: string): Promise<Run>;
  rollback(pipeline: string, wanted: { entry?: string; to?: string }, who: string): Promise<Run>;
  /** Puts right what a crash or a lost queue left: missing jobs, failed jobs, pushed heads without a run. */
  sweep(): Promise<void>;
  /** Reacts to runs as they change, until aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

export interface OrchestratorDependencies {
  runs: RunStore;
  queue: JobQueue;
  releases: Releases;
  repositories: Pick<Repositories, 'open'>;
  pipelines: KnownPipelines;
  now: () => number;
  log: Logger;
}

export function createOrchestrator(dependencies: OrchestratorDependencies): Orchestrator {
  const { runs, queue, releases, pipelines, log } = dependencies;
  const lock = createKeyedLock();
  let lastAt = 0;

  /** Never the same twice: of two runs one is the newer. */
  function nextTime(): number {
    lastAt = Math.max(lastAt + 1, dependencies.now());
    return lastAt;
  }

  function fresh(target: Target, trigger: Trigger, rest: Partial<Run> = {}): Run {
    const { attempt, restores } = rest;
    return newRun({
      ...target,
      id: randomBytes(6).toString('hex'),
      trigger,
      at: nextTime(),
      ...(attempt === undefined ? {} : { attempt }),
      ...(restores === undefined ? {} : { restores }),
    });
  }

  function alone<T>(use: () => Promise<T>): Promise<T> {
    return lock('receive', AbortSignal.timeout(RECORD_TIMEOUT_MS), use);
  }

  const record = createBatches((batch: readonly Recording[]) => alone(() => recordAll(batch)));

  async function recordAll(batch: readonly Recording[]): Promise<Recorded[]> {
    const made = await Promise.all(
      batch.map(async ({ make, delivery }) => ({ runs: await make(), delivery })),
    );
    const recorded = await Promise.all(made.map(recordAndQueue));
    const all = recorded.flatMap((each) => (each.isNew ? each.runs : []));
    if (all.length > 0) {
      // Whoever waits need not wait for this; were it lost, the sweep would do it.
      supersedeAmong(all).catch((error: unknown) =>
        log.error({ err: error }, 'older runs were not superseded; the sweep tries again'),
      );
    }
    return recorded;
  }

  /** Both at once, in this order: a job whose run was not recorded after all ends by itself. */
  async function recordAndQueue({ runs: made, delivery }: Made): Promise<Recorded> {
    const [isNew] = await Promise.all([
      runs.record(made, delivery),
      ...made.flatMap(jobsOf).map((job) => queue.add(job)),
    ]);
    return { runs: made, isNew };
  }

  async function supersedeAmong(branches: readonly Run[]): Promise<void> {
    await supersedeOlder(await runs.unfinished(branches));
  }

  async function recordOne(make: () => Run): Promise<Run> {
    const { runs: made } = await record({ make: () => [make()] });
    const [run] = made;
    if (run === undefined) throw new Error('no run was made');
    return run;
  }

  async function supersedeOlder(unfinished: readonly Run[]): Promise<void> {
    const ended = unfinished.flatMap((older) => {
      const [newer] = unfinished
        .filter((each) => isSupersededBy(older, each))
        .toSorted(newestFirst);
      return newer === undefined ? [] : [{ older, newer }];
    });
    await Promise.all(
      ended.map(async ({ older, newer }) => {
        await runs.apply(older.id, { kind: 'superseded', by: newer.id, at: dependencies.now() });
        await removeJobs(older);
      }),
    );
  }

  /** A job that a worker has is not taken out: the worker sees how the run stands. */
  async function removeJobs(run: Run): Promise<void> {
    for (const job of jobsOf(run)) await queue.remove(job);
  }

  async function ensureJobs(run: Run): Promise<void> {
    for (const job of jobsOf(run)) await ensureJob(run, job);
  }

  async function ensureJob(run: Run, job: RunJob): Promise<void> {
    const state = await queue.state(job);
    if (state === 'missing') {
      // Its worker may have ended it just now, which the run tells.
      const now = await runs.get(run.id);
      if (now !== undefined && jobsOf(now).some(({ id }) => id === job.id)) await queue.add(job);
    } else if (state === 'failed') {
      const reason = (await queue.failure(job)) ?? 'its job failed and left no reason';
      await runs.apply(run.id, { kind: 'failed', reason, at: dependencies.now() });
    } else if (state === 'waiting' && run.cancelRequested && !isDeploying(run)) {
      await queue.remove(job);
      if ((await queue.state(job)) === 'missing')
        await runs.apply(run.id, { kind: 'cancelled', at: dependencies.now() });
    }
  }

  async function receive(trigger: Trigger, target: Target): Promise<Run> {
    const { runs: made } = await record({
      make: async () =>
        (await sweptAlready(trigger, target)) === undefined ? [fresh(target, trigger)] : [],
    });
    const run = made[0] ?? (await sweptAlready(trigger, target));
    if (run === undefined) throw new Error(`the run of ${trigger.after} went away`);
    return run;
  }

  /** The minute's sweep may have been faster than the push's own hook. */
  async function sweptAlready(trigger: Trigger, target: Target): Promise<Run | undefined> {
    if (trigger.kind !== 'push') return undefined;
    const branch = branchOf(trigger.ref);
    if ((await runs.handledHead(target.pipeline, branch)) !== trigger.after) return undefined;
    const [newest] = await runs.list({ pipeline: target.pipeline, branch, limit: 1 });
    const same = newest?.trigger.kind === 'sweep' && newest.trigger.after === trigger.after;
    return same ? newest : undefined;
  }

  async function knownRun(id: string): Promise<Run> {
    const run = await runs.get(id);
    if (run === undefined) throw new UserError('not-found', `run ${id} is not known`);
    return run;
  }

  async function sweepHeads(): Promise<void> {
    for (const { pipeline } of await pipelines.all()) {
      const { metadata, spec } = pipeline;
      if (spec.source.url !== undefined) continue;
      for (const branch of spec.source.branches) {
        await sweepHead({ pipeline: metadata.name, spec }, branch);
      }
    }
  }

  async function sweepHead(target: Target, branch: string): Promise<void> {
    const ref = `refs/heads/${branch}`;
    const head = await dependencies.repositories.open(target.pipeline).resolve(ref);
    if (head === undefined) return;
    await record({
      async make() {
        const handled = await runs.handledHead(target.pipeline, branch);
        if (handled === head) return [];
        // Nothing is remembered of any push where Redis was lost: what was released is no news then.
        if (handled === undefined && (await releases.namesSource(target.pipeline, head))) return [];
        const run = fresh(target, { kind: 'sweep', ref, after: head, who: 'windlass' });
        log.info({ run: run.id, pipeline: target.pipeline, branch }, 'a pushed head had no run');
        return [run];
      },
    });
  }

  return {
    receive,
    async receiveAll(trigger, targets, delivery) {
      const { runs: made, isNew } = await record({
        make: () => targets.map((target) => fresh(target, trigger)),
        delivery,
      });
      return { runs: isNew ? made : [], seenBefore: !isNew };
    },
    async retry(id, who) {
      const run = await knownRun(id);
      if (!isFinished(run)) {
        throw new UserError('conflict', `run ${id} goes on`, {
          hint: `wait for its end, or cancel it: windlass cancel ${id}`,
        });
      }
      const known = await pipelines.find(run.pipeline);
      const target = { pipeline: run.pipeline, spec: known?.pipeline.spec ?? run.spec };
      const trigger: Trigger = { kind: 'retry', ref: run.trigger.ref, after: run.commit, who };
      return recordOne(() => fresh(target, trigger, { ...run, attempt: run.attempt + 1 }));
    },
    async cancel(id, who) {
      const before = await knownRun(id);
      if (isFinished(before))
        throw new UserError('conflict', `run ${id} is ${before.state} already`);
      const run = await runs.apply(id, { kind: 'cancel-requested', who, at: dependencies.now() });
      if (isFinished(run)) await removeJobs(before);
      else await ensureJobs(run);
      return knownRun(id);
    },
    async rollback(name, wanted, who) {
      const { spec } = await knownPipeline(pipelines, name);
      const entry = entryOf(name, spec, wanted.entry);
      const { to, ref } = await releaseToRestore(releases, name, entry, wanted.to);
      const trigger: Trigger = { kind: 'rollback', ref, after: to.source, who };
      const restores = { entry, release: to.commit };
      return recordOne(() => fresh({ pipeline: name, spec }, trigger, { restores }));
    },
    async sweep() {
      await alone(async () => supersedeOlder(await runs.unfinished()));
      for (const run of await runs.unfinished()) await ensureJobs(run);
      await sweepHeads();
    },
    watch: (signal) =>
      runs.follow(
        undefined,
        (news) => {
          // Whoever records a run adds its jobs.
          if (news.kind !== 'run' || news.event === undefined) return;
          react(news.run).catch((error: unknown) =>
            log.error({ run: news.run.id, err: error }, 'a change of a run was not followed up'),
          );
        },
        signal,
      ),
  };

  async function react(run: Run): Promise<void> {
    if (!isFinished(run)) return ensureJobs(run);
    const render = run.steps.find(({ name }) => name === 'render');
    if (render?.startedAt !== undefined) await releases.forgetRendered(run.pipeline, run.id);
  }
}

function newestFirst(one: Run, other: Run): number {
  return other.createdAt - one.createdAt;
}

async function knownPipeline(
  pipelines: KnownPipelines,
  name: string,
): Promise<{ spec: PipelineSpec }> {
  const known = await pipelines.find(name);
  if (known !== undefined) return known.pipeline;
  throw new UserError('not-found', `the pipeline ${name} is not declared`);
}

function entryOf(pipeline: string, spec: PipelineSpec, wanted: string | undefined): string {
  const entries = spec.deploy.map(entryName);
  const [only] = entries;
  if (wanted === undefined && entries.length === 1 && only !== undefined) return only;
  if (wanted !== undefined && entries.includes(wanted)) return wanted;
  const has = entries.length === 0 ? 'none' : entries.join(', ');
  throw new UserError(
    wanted === undefined ? 'invalid-input' : 'not-found',
    wanted === undefined
      ? `${pipeline} has several deploy entries: ${has}`
      : `${pipeline} has no deploy entry ${wanted}, it has ${has}`,
    { hint: 'name one of them' },
  );
}

async function releaseToRestore(
  releases: Releases,
  pipeline: string,
  entry: string,
  wanted: string | undefined,
): Promise<{ to: { commit: string; source: string }; ref: string }> {
  const history = await releases.history(pipeline, entry, 1_000);
  const [head] = history;
  const to =
    wanted === undefined
      ? history.find((each, index) => index > 0 && each.healthy && each.tree !== head?.tree)
      : history.find((each) => each.commit === wanted);
  if (to !== undefined) return { to, ref: to.sourceRef };
  throw new UserError(
    'not-found',
    wanted === undefined
      ? `${pipeline} has no earlier healthy release on ${entry}`
      : `${wanted} is no release of ${pipeline} on ${entry}`,
    { hint: `windlass releases ${pipeline} ${entry} lists them` },
  );
}
