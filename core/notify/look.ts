import { z } from 'zod';
import type { Notice } from '#core/notify/notice.ts';
import type { OwnerReport } from '#core/ports.ts';
import { displayText } from '#core/present/display.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';

/** What is deployed has to be out of service this long to be told of: a pod that is put back in time is no news. */
export const PATIENCE_MS = 60_000;
/** Runs are remembered for as long as they may be seen again. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;
const COMMIT_CHARACTERS = 8;

/** What has been told, so that it is told once. Times are milliseconds since the epoch. */
export const Book = z.strictObject({
  /** What ended before is no news. */
  since: z.number(),
  /** Runs that were looked at after their end, with when that was. */
  runs: z.record(z.string(), z.number()),
  /** Branches (`shop@main`) whose last run failed, and since when. */
  failedBranches: z.record(z.string(), z.number()),
  /** Owners (`shop/production`) that do not serve, since when, and whether that was told. */
  failedOwners: z.record(z.string(), z.strictObject({ since: z.number(), told: z.boolean() })),
});
export type Book = z.infer<typeof Book>;

export function newBook(now: number): Book {
  return { since: now, runs: {}, failedBranches: {}, failedOwners: {} };
}

/** What there is to see. */
export interface Sight {
  runs: readonly Run[];
  clusters: readonly { cluster: string; owners: readonly OwnerReport[]; error?: string }[];
}

/**
 * What is to be told after a look: one notice for each run that fails, one when a branch's run succeeds again, one when
 * what is deployed stops serving by itself, and one when it serves again. Looking again at the same tells nothing.
 */
export function look(book: Book, sight: Sight, now: number): { book: Book; notices: Notice[] } {
  const runs = lookAtRuns(book, sight.runs, now);
  const owners = lookAtOwners(runs.book, sight, now);
  return { book: owners.book, notices: [...runs.notices, ...owners.notices] };
}

function lookAtRuns(
  book: Book,
  runs: readonly Run[],
  now: number,
): { book: Book; notices: Notice[] } {
  const failed = new Map(Object.entries(book.failedBranches));
  const notices: Notice[] = [];
  const ended = runs
    .flatMap((run) => (isFinished(run) ? [{ run, at: run.endedAt ?? run.createdAt }] : []))
    .filter(({ run, at }) => at >= book.since && book.runs[run.id] === undefined)
    .toSorted((one, other) => one.at - other.at);
  for (const { run, at } of ended) {
    const branch = branchKey(run);
    if (run.state === 'failed') {
      failed.set(branch, failed.get(branch) ?? at);
      notices.push(runNotice(run, 'failure', at));
    } else if (run.state === 'succeeded' && failed.delete(branch)) {
      notices.push(runNotice(run, 'recovery', at));
    }
  }
  const remembered = Object.entries(book.runs).filter(([, at]) => now - at < REMEMBERED_MS);
  return {
    book: {
      ...book,
      // What is forgotten must not be news again.
      since: Math.max(book.since, now - REMEMBERED_MS),
      runs: Object.fromEntries([...remembered, ...ended.map(({ run, at }) => [run.id, at])]),
      failedBranches: Object.fromEntries(failed),
    },
    notices,
  };
}

function lookAtOwners(
  book: Book,
  { runs, clusters }: Sight,
  now: number,
): { book: Book; notices: Notice[] } {
  const busy = new Set(runs.filter((run) => !isFinished(run)).map(({ pipeline }) => pipeline));
  const blamed = new Set(Object.keys(book.failedBranches).map((branch) => branch.split('@')[0]));
  const failed = new Map(Object.entries(book.failedOwners));
  const notices: Notice[] = [];
  for (const { cluster, owners, error } of clusters) {
    for (const owner of owners) {
      const [pipeline = '', entry = ''] = owner.owner.split('/');
      const before = failed.get(owner.owner);
      const place = { pipeline, entry, cluster };
      if (owner.serving && error === undefined) {
        failed.delete(owner.owner);
        if (before?.told === true)
          notices.push(ownerNotice(place, 'recovery', '', before.since, now));
        continue;
      }
      // A run tells itself how it ends, and somebody who suspends an entry knows.
      if (
        before?.told !== true &&
        (busy.has(pipeline) || blamed.has(pipeline) || owner.suspended)
      ) {
        failed.delete(owner.owner);
        continue;
      }
      const since = before?.since ?? now;
      const isNews = before?.told !== true && now - since >= PATIENCE_MS;
      if (isNews) notices.push(ownerNotice(place, 'failure', error ?? whyOf(owner), since, now));
      failed.set(owner.owner, { since, told: before?.told === true || isNews });
    }
  }
  return { book: { ...book, failedOwners: Object.fromEntries(failed) }, notices };
}

function branchKey({ pipeline, branch }: Run): string {
  return `${pipeline}@${branch}`;
}

function whyOf({ failure, resources }: OwnerReport): string {
  if (failure !== undefined) return failure;
  const unhealthy = resources.find(({ health }) => health.status !== 'Healthy');
  return unhealthy === undefined
    ? 'it is not as in git'
    : `${unhealthy.key}: ${unhealthy.health.reason}`;
}

function runNotice(run: Run, kind: Notice['kind'], at: number): Notice {
  const { id, pipeline, branch, commit, subject, trigger, reason } = run;
  const what = `run ${id} of ${branch} at ${commit.slice(0, COMMIT_CHARACTERS)} by ${trigger.who}`;
  const why = kind === 'failure' ? reason : '';
  return {
    version: 1,
    id: `run-${id}-${kind}`,
    kind,
    of: 'run',
    at: new Date(at).toISOString(),
    pipeline,
    run: { id, branch, commit, ...(subject === undefined ? {} : { subject }), who: trigger.who },
    reason: why,
    text: textOf(pipeline, kind === 'failure' ? `${what} failed` : `${what} succeeded again`, why),
  };
}

function ownerNotice(
  { pipeline, entry, cluster }: { pipeline: string; entry: string; cluster: string },
  kind: Notice['kind'],
  reason: string,
  since: number,
  now: number,
): Notice {
  const what = kind === 'failure' ? 'does not serve' : 'serves again';
  return {
    version: 1,
    id: `deployment-${pipeline}-${entry}-${since}-${kind}`,
    kind,
    of: 'deployment',
    at: new Date(kind === 'failure' ? since : now).toISOString(),
    pipeline,
    deployment: { entry, cluster },
    reason,
    text: textOf(pipeline, `${entry} on cluster ${cluster} ${what}`, reason),
  };
}

function textOf(pipeline: string, what: string, reason: string): string {
  const said = `${pipeline}: ${displayText(what)}`;
  return reason === '' ? said : `${said}: ${displayText(reason)}`;
}
