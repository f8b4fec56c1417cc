import { setTimeout as sleep } from 'node:timers/promises';
import { callDocker } from '#adapters/docker/call.ts';
import type { MeasuredContainer, MeasuredUsage } from '#core/docker/autoscaler-state.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { mapAtOnce } from './inspections.ts';

/** As often as Kubernetes looks. */
const PERIOD_MS = 15_000;
const ANSWER_MS = 5_000;
const AT_ONCE = 4;

/** Measures, beside the passes, what containers use whose pods are scaled by that. */
export interface UsageMeter {
  setTargets(containers: readonly InspectedContainer[]): void;
  /** Absent where nothing is measured. */
  last(): MeasuredUsage | undefined;
  close(): Promise<void>;
}

/** The part of Docker's answer that is read. */
export interface ContainerStats {
  /** Docker's time of it. */
  read: string;
  cpu_stats: { cpu_usage: { total_usage: number } };
  memory_stats: { usage?: number; stats?: Record<string, number> };
}

interface Sample {
  stats: ContainerStats;
  /** By the clock here (ms). */
  at: number;
}

export function createUsageMeter(
  context: DockerContext,
  onChange: (what: string) => void,
): UsageMeter {
  /** Of each container when it was started: another start counts from 0. */
  const targets = new Map<string, string>();
  const samples = new Map<string, Sample & { startedAt: string }>();
  const closing = new AbortController();
  let measured: MeasuredUsage | undefined;
  let measuring: Promise<void> | undefined;

  async function measure(): Promise<void> {
    while (targets.size > 0) {
      const found = await mapAtOnce(AT_ONCE, [...targets], ([id, startedAt]) =>
        look(id, startedAt),
      );
      for (const id of samples.keys()) if (!targets.has(id)) samples.delete(id);
      measured = { at: Date.now(), containers: Object.fromEntries(found.flat()) };
      onChange('usage was measured');
      await sleep(PERIOD_MS, undefined, { signal: closing.signal, ref: false });
    }
  }

  async function look(id: string, startedAt: string): Promise<[string, MeasuredContainer][]> {
    try {
      const stats = await readStats(context, id, closing.signal);
      const next = { stats, at: Date.now() };
      const before = samples.get(id);
      samples.set(id, { ...next, startedAt });
      const usage = usageOf(next, before?.startedAt === startedAt ? before : undefined);
      return usage === undefined ? [] : [[id, usage]];
    } catch (error) {
      if (closing.signal.aborted) throw error;
      const reason = messageOf(error);
      context.log.debug({ cluster: context.cluster, container: id, reason }, 'usage not measured');
      return [];
    }
  }

  return {
    setTargets(containers) {
      targets.clear();
      for (const { Id, State } of containers)
        if (State.Status === 'running') targets.set(Id, State.StartedAt);
      if (targets.size === 0 || measuring !== undefined) return;
      // It ends by itself, or by the abort.
      measuring = measure()
        .catch(() => {})
        .finally(() => (measuring = undefined));
    },
    last: () => measured,
    async close() {
      closing.abort(new UserError('cancelled', 'the engine was closed'));
      await measuring;
    },
  };
}

/**
 * As `docker stats` has it: cpu of the time between two looks, and memory without what the kernel would give back. Absent
 * where the container has ended.
 */
export function usageOf(
  { stats }: Sample,
  before: Sample | undefined,
): MeasuredContainer | undefined {
  const { usage, stats: kinds = {} } = stats.memory_stats;
  if (usage === undefined) return undefined;
  const inactive = kinds['inactive_file'] ?? kinds['total_inactive_file'] ?? 0;
  const memory = Math.max(0, usage - inactive);
  if (before === undefined) return { memory };
  const ms = Date.parse(stats.read) - Date.parse(before.stats.read);
  const used = stats.cpu_stats.cpu_usage.total_usage - before.stats.cpu_stats.cpu_usage.total_usage;
  if (ms <= 0 || used < 0) return { memory };
  return { memory, cpu: used / (ms * 1e6), since: before.at };
}

function readStats(
  { docker }: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<ContainerStats> {
  return callDocker<ContainerStats>(docker, {
    method: 'GET',
    path: `/containers/${id}/stats`,
    query: { stream: false, 'one-shot': true },
    signal,
    timeoutMs: ANSWER_MS,
  });
}
