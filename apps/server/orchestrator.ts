import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { BareRepository } from '#adapters/git/bare.ts';
import { createKeyedLock } from '#adapters/git/keyed-lock.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import type { PipelineSpec } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import type { Delivery, JobQueue, Recording, RunJob, RunStore } from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { branchOf, newRun } from '#core/run/new-run.ts';
import { handlesHead, isFinished } from '#core/run/run.ts';
import type { Run, Trigger } from '#core/run/run.ts';
import { isDeploying, isSupersededBy } from '#core/run/transition.ts';
import { createBatches } from './batches.ts';
import type { KnownPipelines } from './known-pipelines.ts';
import type { Releases } from './releases/releases.ts';

const RECORD_TIMEOUT_MS = 60_000;
const RECENT_RUNS = 20;
/** There are a few for less than a second, unless Redis was away. */
const MOST_KEPT = 1_000;
/** The first ones of a UUID are all random. */
const ID_DIGITS = 12;

interface Target {
  pipeline: string;
  spec: PipelineSpec;
}

interface Branch {
  pipeline: string;
  branch: string;
}

/** Runs to make and to record; none where there is nothing to record after all. */
interface Wanted {
  /** Branches of which `make` wants to know the state. */
  of: readonly Branch[];
  make: (state: BranchState) => Promise<readonly Recording[]>;
}

/** As it is while one batch is made: nobody else records meanwhile. */
interface BranchState {
  /** The commit of the newest run that handles a head. */
  handled: (of: Branch) => string | undefined;
  /** Made in the same batch, and to be recorded in any case. */
  earlier: readonly Run[];
}

/** Makes runs of triggers and sees to it that each unfinished run has its job. */
export interface Orchestrator {
  /** A new run, recorded and queued. */
  receive(trigger: Trigger, target: Target): Promise<Run>;
  /**
   * Records the runs of deliveries that were kept, all or none of them, and lets go of them. No run of what a look at the
   * remote was faster with, nor where the pipeline runs on the branch no more.
   */
  receiveDeliveries(deliveries: readonly Delivery[]): Promise<void>;
  /**
   * A run for the head that a branch was seen to have. None where it has one already, where a webhook of the branch waits
   * for its run, or where the branch was given another one since `handled` was asked for: what was seen may be older.
   */
  receiveHead(
    seen: { branch: string; head: string; handled: string | undefined },
    target: Target,
  ): Promise<Run | undefined>;
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
  releases: Pick<Releases, 'history' | 'namesSource' | 'forgetRendered'>;
  repositories: { open(name: string): Pick<BareRepository, 'resolve'> };
  pipelines: Pick<KnownPipelines, 'all' | 'find'>;
  now: () => number;
  log: Logger;
}

export function createOrchestrator(dependencies: OrchestratorDependencies): Orchestrator {
  const { runs, queue, releases, pipelines, log } = dependencies;
  const lock = createKeyedLock();
  let firstAt: Promise<number> | undefined;
  let lastAt = 0;

  /** Later than every run before it, also where the clock was set back: of two runs one is the newer. */
  async function nextTime(): Promise<number> {
    firstAt ??= newestTime();
    lastAt = Math.max((await firstAt) + 1, lastAt + 1, dependencies.now());
    return lastAt;
  }

  async function newestTime(): Promise<number> {
    try {
      return (await runs.list({ limit: 1 }))[0]?.createdAt ?? 0;
    } catch (error) {
      firstAt = undefined;
      throw error;
    }
  }

  async function freshRun(target: Target, trigger: Trigger, rest: Partial<Run> = {}): Promise<Run> {
    const { attempt, restores } = rest;
    return newRun({
      ...target,
      id: randomUUID().replace('-', '').slice(0, ID_DIGITS),
      trigger,
      at: await nextTime(),
      ...(attempt === undefined ? {} : { attempt }),
      ...(restores === undefined ? {} : { restores }),
    });
  }

  function alone<T>(use: () => Promise<T>): Promise<T> {
    return lock('record', AbortSignal.timeout(RECORD_TIMEOUT_MS), use);
  }

  /** Answers the runs that were made; what cannot be made fails alone. */
  const record = createBatches((batch: readonly Wanted[]) =>
    alone(async () => {
      const made = await makeAll(batch);
      await write(made.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])));
      return made.map((each) =>
        each.status === 'fulfilled'
          ? { status: each.status, value: each.value.flatMap(({ runs: own }) => own) }
          : each,
      );
    }),
  );

  async function makeAll(
    batch: readonly Wanted[],
  ): Promise<PromiseSettledResult<readonly Recording[]>[]> {
    const all: PromiseSettledResult<readonly Recording[]>[] = [];
    const earlier: Run[] = [];
    const handled = await readHandled(batch.flatMap(({ of }) => of));
    const state = { earlier, handled: (of: Branch) => handled.get(keyOf(of)) };
    function note(made: readonly Run[]): void {
      earlier.push(...made);
      for (const run of made.filter(handlesHead)) handled.set(keyOf(run), run.commit);
    }
    // One after the other, so that a later run never builds an earlier head.
    for (const { make } of batch) {
      const [made] = await Promise.allSettled([make(state)]);
      if (made.status === 'fulfilled') for (const { runs: own } of made.value) note(own);
      all.push(made);
    }
    return all;
  }

  async function write(recordings: readonly Recording[]): Promise<void> {
    const answers = await runs.record(recordings);
    const beside = recordings.flatMap((each, index) =>
      answers[index] === 'beside' ? each.runs : [],
    );
    if (beside.length === 0) return;
    // Whoever waits need not wait for this; were it lost, the sweep would do it.
    supersedeAmong(beside).catch((error: unknown) =>
      log.error({ err: error }, 'older runs were not superseded; the sweep tries again'),
    );
  }

  async function supersedeAmong(branches: readonly Run[]): Promise<void> {
    await supersedeOlder(await runs.unfinished(branches));
  }

  async function readHandled(
    branches: readonly Branch[],
  ): Promise<Map<string, string | undefined>> {
    const heads = await runs.handledHeads(branches);
    return new Map(branches.map((of, index) => [keyOf(of), heads[index]]));
  }

  /** Newest first. */
  async function recentRuns(of: Branch, { earlier }: BranchState): Promise<Run[]> {
    const recorded = await runs.list({ ...of, limit: RECENT_RUNS });
    return [...earlier.filter((run) => keyOf(run) === keyOf(of)).toReversed(), ...recorded];
  }

  async function recordOne(make: () => Promise<Run>): Promise<Run> {
    const [run] = await record({ of: [], make: async () => [{ runs: [await make()] }] });
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
        await runs.apply(older.id, { kind: 'overtaken', by: newer.id, at: dependencies.now() });
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
    let found: Run | undefined;
    const [made] = await record({
      of: [branchIn(trigger, target)],
      async make(state) {
        const now = await ofHead(trigger, target);
        found = await foundAlready(now, target, state);
        return found === undefined ? [{ runs: [await freshRun(target, now)] }] : [];
      },
    });
    const run = made ?? found;
    if (run === undefined) throw new Error('no run was made');
    return run;
  }

  /** Hooks of two pushes may come in the wrong order: what the branch has by now is what is to be built. */
  async function ofHead(trigger: Trigger, { pipeline }: Target): Promise<Trigger> {
    if (trigger.kind !== 'push') return trigger;
    const head = await dependencies.repositories.open(pipeline).resolve(trigger.ref);
    if (head === undefined || head === trigger.after) return trigger;
    return { ...trigger, kind: 'sweep', after: head };
  }

  /** Who looks (sweep, poll, the hook of an earlier push) may be faster than the push's own hook or webhook. */
  async function foundAlready(
    trigger: Trigger,
    target: Target,
    state: BranchState,
  ): Promise<Run | undefined> {
    const of = branchIn(trigger, target);
    if (state.handled(of) !== trigger.after) return undefined;
    const recent = await recentRuns(of, state);
    const same = recent.find((run) => run.trigger.after === trigger.after);
    return same !== undefined && (wasLookedUp(trigger) || wasLookedUp(same.trigger))
      ? same
      : undefined;
  }

  async function runsOf(
    { name, trigger, pipelines: names }: Delivery,
    state: BranchState,
  ): Promise<Run[]> {
    const made: Run[] = [];
    for (const pipeline of names) {
      const spec = (await pipelines.find(pipeline))?.pipeline.spec;
      if (spec === undefined || !spec.source.branches.includes(branchOf(trigger.ref))) {
        log.warn(
          { delivery: name, pipeline, ref: trigger.ref },
          'a webhook has no run: the pipeline runs on its branch no more',
        );
      } else if ((await foundAlready(trigger, { pipeline, spec }, state)) === undefined) {
        made.push(await freshRun({ pipeline, spec }, trigger));
      }
    }
    return made;
  }

  /** Whether a webhook of the branch was kept that has no run yet. */
  async function isToldOf(of: Branch): Promise<boolean> {
    const kept = await runs.kept(MOST_KEPT);
    return kept.some(
      ({ trigger, pipelines: names }) =>
        names.includes(of.pipeline) && branchOf(trigger.ref) === of.branch,
    );
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
    const repository = dependencies.repositories.open(target.pipeline);
    const of = { pipeline: target.pipeline, branch };
    const seen = await repository.resolve(ref);
    if (seen === undefined || seen === (await runs.handledHeads([of]))[0]) return;
    await record({
      of: [of],
      async make({ handled }) {
        const head = await repository.resolve(ref);
        if (head === undefined || head === handled(of)) return [];
        if (await isReleased(target, head, handled(of))) return [];
        const run = await freshRun(target, { kind: 'sweep', ref, after: head, who: 'windlass' });
        log.info({ run: run.id, pipeline: target.pipeline, branch }, 'a pushed head had no run');
        return [{ runs: [run] }];
      },
    });
  }

  /** Nothing is remembered of any push where Redis was lost: what was released is no news then. */
  async function isReleased(
    { pipeline }: Target,
    head: string,
    handled: string | undefined,
  ): Promise<boolean> {
    return handled === undefined && releases.namesSource(pipeline, head);
  }

  return {
    receive,
    async receiveDeliveries(deliveries) {
      await record({
        of: deliveries.flatMap(({ pipelines: names, trigger }) =>
          names.map((pipeline) => ({ pipeline, branch: branchOf(trigger.ref) })),
        ),
        async make(state) {
          const made: Recording[] = [];
          for (const delivery of deliveries)
            made.push({ runs: await runsOf(delivery, state), delivery });
          return made;
        },
      });
    },
    async receiveHead({ branch, head, handled }, target) {
      const of = { pipeline: target.pipeline, branch };
      const [made] = await record({
        of: [of],
        async make(state) {
          const now = state.handled(of);
          if (now !== handled || now === head) return [];
          // What it tells was pushed before: a run of its own would come after that of the head.
          if (await isToldOf(of)) return [];
          if (await isReleased(target, head, now)) return [];
          // A webhook's commit that was not on the branch: its head was built instead.
          const newest = (await recentRuns(of, state)).find(handlesHead);
          if (newest?.commit === head) return [];
          const trigger = { ref: `refs/heads/${branch}`, after: head, who: 'windlass' };
          return [{ runs: [await freshRun(target, { kind: 'poll', ...trigger })] }];
        },
      });
      return made;
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
      return recordOne(() => freshRun(target, trigger, { ...run, attempt: run.attempt + 1 }));
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
      return recordOne(() => freshRun({ pipeline: name, spec }, trigger, { restores }));
    },
    async sweep() {
      await alone(async () => supersedeOlder(await runs.unfinished()));
      for (const run of await runs.unfinished()) {
        for (const job of jobsOf(run)) await queue.free(job);
        await ensureJobs(run);
      }
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

function branchIn(trigger: Trigger, { pipeline }: Target): Branch {
  return { pipeline, branch: branchOf(trigger.ref) };
}

function keyOf({ pipeline, branch }: Branch): string {
  return `${pipeline} ${branch}`;
}

function wasLookedUp({ kind }: Trigger): boolean {
  return kind === 'sweep' || kind === 'poll';
}

function newestFirst(one: Run, other: Run): number {
  return other.createdAt - one.createdAt;
}

async function knownPipeline(
  pipelines: Pick<KnownPipelines, 'find'>,
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
  releases: Pick<Releases, 'history'>,
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
