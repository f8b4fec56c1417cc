import { z } from 'zod';
import { lookAtServers } from '#core/notify/look-at-servers.ts';
import type { FleetSight } from '#core/notify/look-at-servers.ts';
import type { Notice } from '#core/notify/notice.ts';
import { Outage, PATIENCE_MS, whenDown, whenUp } from '#core/notify/outage.ts';
import { ownerKey } from '#core/owner.ts';
import type { OwnerReport } from '#core/ports.ts';
import { displayText } from '#core/present/display.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run, StepState } from '#core/run/run.ts';
import { isReleasing } from '#core/run/transition.ts';

const DAY_MS = 24 * 3_600_000;
/** Runs are remembered for as long as they may be seen again. */
const REMEMBERED_MS = 7 * DAY_MS;
/** Of a branch whose last run failed so long ago nobody waits to hear. */
const ABANDONED_MS = 90 * DAY_MS;
const COMMIT_CHARACTERS = 8;

/** What has been told, so that it is told once. Times are milliseconds since the epoch. */
export const Book = z.strictObject({
  /** What ended before is no news. */
  since: z.number(),
  /** Runs that were looked at after their end, with when that was. */
  runs: z.record(z.string(), z.number()),
  /** Branches (`shop@main`) whose last run failed, and when. */
  failedBranches: z.record(z.string(), z.number()),
  /** Owners (`shop/production`) at which a run failed, and when: that they do not serve after it was told with it. */
  failedDeploys: z.record(z.string(), z.number()).default({}),
  /** Owners that do not serve. */
  failedOwners: z.record(z.string(), Outage),
  /** Servers (`fleet/s1`) that are gone. */
  lostServers: z.record(z.string(), Outage).default({}),
});
export type Book = z.infer<typeof Book>;

export function newBook(now: number): Book {
  return {
    since: now,
    runs: {},
    failedBranches: {},
    failedDeploys: {},
    failedOwners: {},
    lostServers: {},
  };
}

export type OwnerSight = Pick<
  OwnerReport,
  'owner' | 'serving' | 'resources' | 'failure' | 'suspended'
>;

/** What there is to see. */
export interface Sight {
  runs: readonly Run[];
  /** With the owners on them, also where an error keeps them from being seen. */
  clusters: readonly {
    cluster: string;
    owners: readonly OwnerSight[];
    fleet?: FleetSight['fleet'];
    error?: string;
  }[];
}

/**
 * What is to be told after a look: one notice for each run that fails, one when a branch's run succeeds again, one when
 * what is deployed stops serving by itself, and one when it serves again; of servers that are gone likewise. Looking again at
 * the same tells nothing.
 */
export function look(book: Book, sight: Sight, now: number): { book: Book; notices: Notice[] } {
  const runs = lookAtRuns(book, sight.runs, now);
  const owners = lookAtOwners(runs.book, sight, now);
  const fleets = sight.clusters.flatMap(({ fleet, ...others }) =>
    fleet === undefined ? [] : [{ ...others, fleet }],
  );
  const { lost, notices } = lookAtServers(book.lostServers, fleets, now);
  return {
    book: { ...owners.book, lostServers: lost },
    notices: [...runs.notices, ...owners.notices, ...notices],
  };
}

function lookAtRuns(
  book: Book,
  runs: readonly Run[],
  now: number,
): { book: Book; notices: Notice[] } {
  const failed = new Map(
    Object.entries(book.failedBranches).filter(([, at]) => now - at < ABANDONED_MS),
  );
  const failedDeploys: [string, number][] = [];
  const notices: Notice[] = [];
  const ended = runs
    .flatMap((run) => (isFinished(run) ? [{ run, at: run.endedAt ?? run.createdAt }] : []))
    .filter(({ run, at }) => at >= book.since && book.runs[run.id] === undefined)
    .toSorted((one, other) => one.at - other.at);
  for (const { run, at } of ended) {
    const branch = branchKey(run);
    if (run.state === 'failed') {
      failed.set(branch, at);
      for (const { entry, state } of run.deploys)
        if (state === 'failed') failedDeploys.push([ownerKey(run.pipeline, entry), at]);
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
      failedDeploys: { ...book.failedDeploys, ...Object.fromEntries(failedDeploys) },
    },
    notices,
  };
}

function lookAtOwners(
  book: Book,
  { runs, clusters }: Sight,
  now: number,
): { book: Book; notices: Notice[] } {
  const busy = new Set(runs.filter((run) => !isFinished(run)).flatMap(deploying));
  const failed = new Map(Object.entries(book.failedOwners));
  const notices: Notice[] = [];
  for (const { cluster, owners, error } of clusters) {
    for (const owner of owners) {
      const before = failed.get(owner.owner);
      const isUp = owner.serving && error === undefined;
      // A run tells itself how it ends, and somebody who suspends an entry knows.
      const isExpected = busy.has(owner.owner) || owner.suspended !== undefined;
      const after = isUp ? whenUp(before, now) : whenDown(before, isExpected, now);
      const since = before?.since ?? now;
      const isDue = now - since >= PATIENCE_MS && !isTold(book, owner.owner, since);
      const place = { owner: owner.owner, cluster, since };
      if (after === undefined) {
        failed.delete(owner.owner);
        if (before?.told === true)
          notices.push(ownerNotice(place, 'serves again', '', before.backSince ?? now));
      } else if (!after.told && isDue) {
        failed.set(owner.owner, { ...after, told: true });
        notices.push(
          error === undefined
            ? ownerNotice(place, 'does not serve', whyOf(owner), since)
            : ownerNotice(place, 'is out of reach', error, since),
        );
      } else failed.set(owner.owner, after);
    }
  }
  const failedDeploys = Object.entries(book.failedDeploys).filter(
    ([owner, at]) => failed.has(owner) || now - at < PATIENCE_MS,
  );
  return {
    book: {
      ...book,
      failedDeploys: Object.fromEntries(failedDeploys),
      failedOwners: Object.fromEntries(failed),
    },
    notices,
  };
}

/** Whether the failure of a run told of it: it failed there, and it has not served since. */
function isTold(book: Book, owner: string, since: number): boolean {
  const at = book.failedDeploys[owner];
  return at !== undefined && since - at <= PATIENCE_MS;
}

const OPEN: readonly StepState[] = ['pending', 'running'];

/** Owners at which a run is at work. */
function deploying(run: Run): string[] {
  return run.deploys
    .filter(({ entry, state }) => isReleasing(run, entry) && OPEN.includes(state))
    .map(({ entry }) => ownerKey(run.pipeline, entry));
}

function branchKey({ pipeline, branch }: Run): string {
  return `${pipeline}@${branch}`;
}

function whyOf({ failure, resources }: OwnerSight): string {
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
  { owner, cluster, since }: { owner: string; cluster: string; since: number },
  what: 'does not serve' | 'is out of reach' | 'serves again',
  reason: string,
  at: number,
): Notice {
  const [pipeline = '', entry = ''] = owner.split('/');
  const kind = what === 'serves again' ? 'recovery' : 'failure';
  return {
    version: 1,
    id: `deployment-${pipeline}-${entry}-${since}-${kind}`,
    kind,
    of: 'deployment',
    at: new Date(at).toISOString(),
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
