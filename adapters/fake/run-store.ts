import { UserError } from '#core/errors.ts';
import type {
  Delivery,
  JobQueue,
  LogBatch,
  Recorded,
  Recording,
  RunKeeping,
  RunNews,
  RunStore,
} from '#core/ports.ts';
import { jobsOf } from '#core/run/jobs-of.ts';
import { handlesHead, isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { transition } from '#core/run/transition.ts';

/** Runs in memory, for tests. */
export function createMemoryRunStore(queue?: Pick<JobQueue, 'add'>): RunStore & RunKeeping {
  const all = new Map<string, Run>();
  const logs = new Map<string, LogBatch[]>();
  const unarchived = new Set<string>();
  const heads = new Map<string, string>();
  const deliveries = new Set<string>();
  let kept: Delivery[] = [];
  const followers = new Set<{ id: string | undefined; onNews: (news: RunNews) => void }>();

  function tell(id: string, news: RunNews): void {
    for (const follower of followers) {
      if (follower.id === undefined || follower.id === id) follower.onNews(news);
    }
  }

  function unfinishedOf({ pipeline, branch }: Pick<Run, 'pipeline' | 'branch'>): Run[] {
    return [...all.values()].filter(
      (run) => !isFinished(run) && run.pipeline === pipeline && run.branch === branch,
    );
  }

  function keepOne(delivery: Delivery): boolean {
    if (deliveries.has(delivery.name)) return false;
    deliveries.add(delivery.name);
    kept.push(delivery);
    return true;
  }

  function recordOne({ runs, delivery }: Recording): Recorded {
    if (delivery !== undefined) {
      if (!kept.some(({ name }) => name === delivery.name)) return 'gone';
      kept = kept.filter(({ name }) => name !== delivery.name);
    }
    for (const run of runs) {
      all.set(run.id, run);
      if (handlesHead(run)) heads.set(`${run.pipeline} ${run.branch}`, run.commit);
      for (const job of jobsOf(run)) void queue?.add(job);
      tell(run.id, { kind: 'run', run });
    }
    return runs.some((run) => unfinishedOf(run).length > 1) ? 'beside' : 'alone';
  }

  return {
    keep: async (some) => some.map(keepOne),
    kept: async (limit) => kept.slice(0, limit),
    record: async (recordings) => recordings.map(recordOne),
    get: async (id) => all.get(id),
    list: async ({ pipeline, branch, since = 0, limit }) =>
      [...all.values()]
        .filter((run) => pipeline === undefined || run.pipeline === pipeline)
        .filter((run) => branch === undefined || run.branch === branch)
        .filter((run) => run.createdAt >= since)
        .toSorted((one, other) => other.createdAt - one.createdAt)
        .slice(0, limit),
    unfinished: async (beside) =>
      beside === undefined
        ? [...all.values()].filter((run) => !isFinished(run))
        : [...new Set(beside.flatMap(unfinishedOf))],
    async apply(id, event) {
      const run = all.get(id);
      if (run === undefined) throw new UserError('not-found', `run ${id} is not known`);
      const next = transition(run, event);
      if (next === run) return run;
      all.set(id, next);
      if (isFinished(next)) unarchived.add(id);
      tell(id, { kind: 'run', run: next, event });
      return next;
    },
    handledHeads: async (branches) =>
      branches.map(({ pipeline, branch }) => heads.get(`${pipeline} ${branch}`)),
    async appendLog(runId, lines) {
      if (lines.length === 0) return;
      const batches = logs.get(runId) ?? [];
      logs.set(runId, [...batches, { n: batches.length + 1, lines: [...lines] }]);
      unarchived.add(runId);
      tell(runId, { kind: 'log', runId, lines: [...lines] });
    },
    async follow(id, onNews, signal) {
      if (signal.aborted) return;
      const follower = { id, onNews };
      followers.add(follower);
      const run = id === undefined ? undefined : all.get(id);
      if (run !== undefined) onNews({ kind: 'run', run });
      if (!signal.aborted) {
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
      followers.delete(follower);
    },
    logAfter: async (runId, n, limit) => (logs.get(runId) ?? []).slice(n, n + limit),
    unarchived: async () => [...unarchived],
    async archived(runId, n) {
      if ((logs.get(runId) ?? []).length <= n) unarchived.delete(runId);
    },
    unknown: async (ids) => ids.filter((id) => !all.has(id)),
    async restore(runs) {
      for (const run of runs) if (!all.has(run.id)) all.set(run.id, run);
    },
    index: async (pipeline) =>
      [...all.values()]
        .filter((run) => run.pipeline === pipeline)
        .map(({ id, createdAt }) => ({ id, at: createdAt }))
        .toSorted((one, other) => other.at - one.at),
    async forget(_pipeline, ids) {
      for (const id of ids) for (const held of [all, logs]) held.delete(id);
    },
  };
}
