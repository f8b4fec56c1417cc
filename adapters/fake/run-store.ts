import { UserError } from '#core/errors.ts';
import type { LogLine, RunNews, RunStore } from '#core/ports.ts';
import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import { transition } from '#core/run/transition.ts';

/** A RunStore in memory, for tests. */
export function createMemoryRunStore(): RunStore {
  const all = new Map<string, Run>();
  const logs = new Map<string, LogLine[]>();
  const heads = new Map<string, string>();
  const deliveries = new Set<string>();
  const followers = new Set<{ id: string | undefined; onNews: (news: RunNews) => void }>();

  function tell(id: string, news: RunNews): void {
    for (const follower of followers) {
      if (follower.id === undefined || follower.id === id) follower.onNews(news);
    }
  }

  return {
    async record(runs, delivery) {
      if (delivery !== undefined && deliveries.has(delivery)) return false;
      if (delivery !== undefined) deliveries.add(delivery);
      for (const run of runs) {
        all.set(run.id, run);
        if (run.trigger.kind !== 'rollback' && run.attempt === 1)
          heads.set(`${run.pipeline} ${run.branch}`, run.commit);
        tell(run.id, { kind: 'run', run });
      }
      return true;
    },
    get: async (id) => all.get(id),
    list: async ({ pipeline, branch, limit }) =>
      [...all.values()]
        .filter((run) => pipeline === undefined || run.pipeline === pipeline)
        .filter((run) => branch === undefined || run.branch === branch)
        .toSorted((one, other) => other.createdAt - one.createdAt)
        .slice(0, limit),
    unfinished: async (beside) =>
      [...all.values()].filter(
        (run) =>
          !isFinished(run) &&
          (beside?.some((one) => one.pipeline === run.pipeline && one.branch === run.branch) ??
            true),
      ),
    async apply(id, event) {
      const run = all.get(id);
      if (run === undefined) throw new UserError('not-found', `run ${id} is not known`);
      const next = transition(run, event);
      if (next === run) return run;
      all.set(id, next);
      tell(id, { kind: 'run', run: next, event });
      return next;
    },
    handledHead: async (pipeline, branch) => heads.get(`${pipeline} ${branch}`),
    async appendLog(runId, lines) {
      logs.set(runId, [...(logs.get(runId) ?? []), ...lines]);
      tell(runId, { kind: 'log', runId, lines: [...lines] });
    },
    readLog: async (runId) => logs.get(runId) ?? [],
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
  };
}
