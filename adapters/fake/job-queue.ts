import { UserError } from '#core/errors.ts';
import type { JobQueue, RunJob } from '#core/ports.ts';

export interface MemoryJobQueue extends JobQueue {
  readonly jobs: Map<string, RunJob>;
  readonly requests: { queue: string; name: string; payload: unknown }[];
  fail(id: string, reason: string): void;
  answerWith(answer: (name: string, payload: unknown) => unknown): void;
}

/** A JobQueue in memory, for tests; what is queued stays waiting. */
export function createMemoryJobQueue(): MemoryJobQueue {
  const jobs = new Map<string, RunJob>();
  const failures = new Map<string, string>();
  const requests: MemoryJobQueue['requests'] = [];
  let answerer: ((name: string, payload: unknown) => unknown) | undefined;
  return {
    jobs,
    requests,
    fail: (id, reason) => void failures.set(id, reason),
    answerWith(answer) {
      answerer = answer;
    },
    async add(job) {
      if (!jobs.has(job.id)) jobs.set(job.id, job);
    },
    async remove(job) {
      jobs.delete(job.id);
    },
    async state(job) {
      if (failures.has(job.id)) return 'failed';
      return jobs.has(job.id) ? 'waiting' : 'missing';
    },
    free: async () => undefined,
    failure: async (job) => failures.get(job.id),
    async request(queue, name, payload) {
      requests.push({ queue, name, payload });
      if (answerer === undefined)
        throw new UserError('unavailable', `nothing answered on ${queue}`);
      return answerer(name, payload);
    },
    async close() {
      jobs.clear();
    },
  };
}
