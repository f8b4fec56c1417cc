import { nextStart } from '#core/docker/cron-start.ts';
import type { CronStart } from '#core/docker/cron-start.ts';
import { runName } from '#core/docker/cron-state.ts';
import type { CronRules, CronRun, CronState } from '#core/docker/cron-state.ts';
import type { JobState } from '#core/docker/job-state.ts';
import { expiry } from '#core/docker/keep-job.ts';
import { earliest } from '#core/docker/keep-pods.ts';
import type { Job } from '#core/docker/kinds.ts';
import { keeperOf, templateHash } from '#core/docker/pod-spec.ts';
import { workloadOf } from '#core/docker/workload.ts';
import type { JobRules, Workload } from '#core/docker/workload.ts';
import { keeper } from '#core/docker/workloads.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { contentHash } from '#core/hash.ts';

const SPEC_CHARACTERS = 12;

type JobSpec = Job['spec'];

/** What an engine says of a Job that it keeps. */
interface KeptJob {
  failure?: string;
  /** When it has to be looked at again (ms). */
  wakeAt?: number;
}

/** A run, and what the engine keeps of its Job. */
interface KeptRun<Kept> {
  run: CronRun;
  rules: JobRules;
  kept: Kept;
}

export interface CronRuns<Kept> {
  /** Of the Jobs that there are to be, one that starts now among them. */
  jobs: Kept[];
  /** Recorded before anything of a new Job is made: so it never starts a second time, whatever ends in between. */
  state: CronState;
  /** `next at 2026-11-23T14:05Z, 1 active` */
  summary: string;
  degraded?: string;
  wakeAt?: number;
}

/** Which Jobs a CronJob has now, each kept by `keepJob` as others are, and what is to be remembered of them. */
export function keepRuns<Kept extends KeptJob>(
  { workload, cron, recorded, now }: CronScope,
  keepJob: (
    job: Workload & { job: JobRules },
    before: JobState | undefined,
  ) => { state: JobState; kept: Kept } | undefined,
): CronRuns<Kept> {
  const before = recorded?.cron ?? { since: now, runs: [] };
  const specs = specsOf(cron, recorded);
  function keepRun(run: Pick<CronRun, 'at' | 'spec'>, state?: JobState): KeptRun<Kept>[] {
    const spec = specs.get(run.spec);
    if (spec === undefined) return [];
    const made = jobOf(workload, run.at, spec);
    const { job } = made;
    if (job === undefined) return [];
    const found = keepJob({ ...made, job }, state);
    return found === undefined
      ? []
      : [{ run: { ...run, state: found.state }, rules: job, kept: found.kept }];
  }
  const all = before.runs.flatMap((run) => keepRun(run, run.state));
  const known = withoutOld(all, cron, now);
  const active = known.filter(isActive);
  const start = nextStart(cron, before, now);
  const due = cron.concurrency === 'Forbid' && active.length > 0 ? undefined : start.due;
  const stays =
    due !== undefined && cron.concurrency === 'Replace'
      ? known.filter((each) => !isActive(each))
      : known;
  const begun = due === undefined ? [] : keepRun({ at: due.at, spec: specKey(cron.spec) });
  const runs = [...stays, ...begun];
  const state = nextState(before, { all, runs, due, specs, current: specKey(cron.spec) });
  return { jobs: runs.map(({ kept }) => kept), state, ...told(runs, start, state) };
}

interface CronScope {
  workload: Workload;
  cron: CronRules;
  recorded: Pick<LiveRecord, 'resource' | 'cron'> | undefined;
  now: number;
}

/** By their keys: what Jobs are made from now, and what those were that go on. */
function specsOf(
  cron: CronRules,
  recorded: Pick<LiveRecord, 'resource' | 'cron'> | undefined,
): Map<string, JobSpec> {
  const last = recorded === undefined ? undefined : keeper(recorded.resource).cron?.spec;
  return new Map([
    ...Object.entries(recorded?.cron?.specs ?? {}),
    ...(last === undefined ? [] : [[specKey(last), last] as const]),
    [specKey(cron.spec), cron.spec],
  ]);
}

function specKey(spec: JobSpec): string {
  return contentHash(spec).slice(0, SPEC_CHARACTERS);
}

/** The Job of that time. Its pods are the CronJob's, and of its template whichever Job they are of. */
function jobOf(cronJob: Workload, at: number, spec: JobSpec): Workload {
  const { metadata } = cronJob;
  const { name, namespace } = metadata;
  const job = { apiVersion: 'batch/v1', kind: 'Job', spec } as const;
  const hash = templateHash(workloadOf({ ...job, metadata }));
  const own = { name: runName(name, at), ...(namespace === undefined ? {} : { namespace }) };
  return { ...workloadOf({ ...job, metadata: own }), of: { keeper: keeperOf(cronJob), hash } };
}

function isActive({ run }: Pick<KeptRun<unknown>, 'run'>): boolean {
  return run.state.finished === undefined;
}

function hasFailed({ run }: Pick<KeptRun<unknown>, 'run'>): boolean {
  return run.state.finished?.reason !== undefined;
}

/** Without those that ended too long ago to be kept. */
function withoutOld<Kept>(
  runs: readonly KeptRun<Kept>[],
  { keep }: CronRules,
  now: number,
): KeptRun<Kept>[] {
  const ended = runs
    .filter((each) => !isActive(each))
    .filter(({ rules, run }) => (expiry(rules, run.state) ?? Infinity) > now)
    .toSorted((one, other) => other.run.at - one.run.at);
  const succeeded = ended.filter((each) => !hasFailed(each)).slice(0, keep.succeeded);
  const kept = new Set([...succeeded, ...ended.filter(hasFailed).slice(0, keep.failed)]);
  return runs.filter((each) => isActive(each) || kept.has(each));
}

interface Next {
  /** Those that there were, and those that stay. */
  all: readonly KeptRun<KeptJob>[];
  runs: readonly KeptRun<KeptJob>[];
  due: CronStart['due'];
  specs: ReadonlyMap<string, JobSpec>;
  current: string;
}

function nextState(before: CronState, { all, runs, due, specs, current }: Next): CronState {
  const used = new Set(runs.map(({ run }) => run.spec).filter((key) => key !== current));
  const last = due?.at ?? before.last;
  const missedMany = due === undefined ? before.missedMany : due.missedMany;
  const failure = failureAfter(before, all);
  return {
    since: before.since,
    ...(last === undefined ? {} : { last }),
    runs: runs.map(({ run }) => run),
    ...(used.size === 0
      ? {}
      : { specs: Object.fromEntries([...specs].filter(([key]) => used.has(key))) }),
    ...(failure === undefined ? {} : { failure }),
    ...(missedMany === true ? { missedMany } : {}),
  };
}

/** Of what has ended since. */
function failureAfter(
  { runs, failure }: CronState,
  all: readonly KeptRun<KeptJob>[],
): string | undefined {
  const open = new Set(
    runs.filter(({ state }) => state.finished === undefined).map(({ at }) => at),
  );
  const ended = all.filter((each) => open.has(each.run.at) && !isActive(each));
  return ended
    .toSorted((one, other) => one.run.at - other.run.at)
    .reduce((_before: string | undefined, { kept }) => kept.failure, failure);
}

function told(
  runs: readonly KeptRun<KeptJob>[],
  { next, missed }: CronStart,
  { failure, missedMany }: CronState,
): Omit<CronRuns<unknown>, 'jobs' | 'state'> {
  const active = runs.filter(isActive);
  const stuck = active.find(({ kept }) => kept.failure !== undefined)?.kept.failure;
  const degraded = stuck ?? failure;
  const parts = [
    next === undefined ? 'Suspended' : `next at ${timeText(next)}`,
    ...(active.length === 0 ? [] : [`${active.length} active`]),
    ...(missed === undefined ? [] : [`missed the start at ${timeText(missed)}`]),
    ...(missedMany === true ? ['more than 100 starts were missed before the last'] : []),
  ];
  return {
    summary: parts.join(', '),
    ...(degraded === undefined ? {} : { degraded }),
    ...earliest([next, ...runs.map(({ kept }) => kept.wakeAt)]),
  };
}

/** `2026-11-23T14:05Z`: nothing starts at a second. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/:\d+\.\d+Z$/, 'Z');
}
