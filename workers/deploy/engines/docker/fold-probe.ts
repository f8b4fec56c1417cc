import type { ProbeState, ReadinessProbe } from '#core/docker/world.ts';

/** What one probe found. */
export interface ProbeResult {
  ok: boolean;
  answer: string;
}

/** What is known of one container's readiness. */
export interface ProbeMemory extends ProbeState {
  /** Results like the last one, in a row. */
  streak: number;
  lastOk: boolean;
}

const FIRST_RETRY_MS = 25;
const LONGEST_ANSWER = 200;

/** Takes one more result in: ready after enough successes in a row, unready after enough failures. */
export function foldProbe(
  before: ProbeMemory | undefined,
  result: ProbeResult,
  probe: ReadinessProbe,
  now: number,
): ProbeMemory {
  const answer = result.answer.slice(0, LONGEST_ANSWER);
  const wasReady = before?.ready ?? false;
  const streak = before?.lastOk === result.ok ? before.streak + 1 : 1;
  const needed = result.ok ? probe.successThreshold : probe.failureThreshold;
  const ready = streak >= needed ? result.ok : wasReady;
  const since = before === undefined || ready !== wasReady ? now : before.since;
  return { ready, since, answer, streak, lastOk: result.ok };
}

/** A container that served when the worker started counts as ready until a probe says otherwise. */
export function assumeReady(now: number): ProbeMemory {
  return { ready: true, since: now, answer: 'served before', streak: 1, lastOk: true };
}

/**
 * How long to wait before the next probe. A container that is not ready yet is asked more often than its period, as
 * Kubernetes allows itself, so that a fast start is seen at once.
 */
export function nextProbeMs(memory: ProbeMemory, probe: ReadinessProbe): number {
  const periodMs = probe.periodSeconds * 1_000;
  if (memory.ready || memory.lastOk) return periodMs;
  return Math.min(periodMs, FIRST_RETRY_MS * 2 ** Math.min(memory.streak - 1, 16));
}
