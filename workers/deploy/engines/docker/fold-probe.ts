import type { Probe, ProbeState } from '#core/docker/world.ts';

/** What one probe found. */
export interface ProbeResult {
  ok: boolean;
  answer: string;
}

/** What is known of one probe of one run of a container. */
export interface ProbeMemory extends ProbeState {
  /** Results like the last one, in a row. */
  streak: number;
  lastOk: boolean;
}

type Thresholds = Pick<Probe, 'successThreshold' | 'failureThreshold'>;

const FIRST_RETRY_MS = 25;
const LONGEST_ANSWER = 200;

/** Takes one more result in: good after enough successes in a row, bad after enough failures. */
export function foldProbe(
  before: ProbeMemory | undefined,
  result: ProbeResult,
  probe: Thresholds,
  now: number,
): ProbeMemory {
  const answer = result.answer.slice(0, LONGEST_ANSWER);
  const wasOk = before?.ok ?? false;
  const streak = before?.lastOk === result.ok ? before.streak + 1 : 1;
  const needed = result.ok ? probe.successThreshold : probe.failureThreshold;
  const ok = streak >= needed ? result.ok : wasOk;
  const since = before === undefined || ok !== wasOk ? now : before.since;
  return { ok, since, answer, streak, lastOk: result.ok };
}

/** Whether a startup or liveness probe gives up on the container. */
export function hasGivenUp(memory: ProbeMemory, { failureThreshold }: Thresholds): boolean {
  return !memory.lastOk && memory.streak >= failureThreshold;
}

/** A container that served when the worker started counts as ready until a probe says otherwise. */
export function assumeReady(now: number): ProbeMemory {
  return { ok: true, since: now, answer: 'served before', streak: 1, lastOk: true };
}

/**
 * Whether a startup probe must have succeeded before this worker first looked: a container in which it had not would have
 * been restarted by then.
 */
export function hasOutlived(probe: Probe, startedAt: number, now: number): boolean {
  const { initialDelaySeconds, periodSeconds, timeoutSeconds, failureThreshold } = probe;
  const longest = initialDelaySeconds + (periodSeconds + timeoutSeconds) * failureThreshold;
  return now - startedAt > longest * 1_000;
}

/**
 * How long to wait before the next try of a readiness probe. A container that is not ready yet is asked more often than
 * its period, as Kubernetes allows itself, so that a fast start is seen at once.
 */
export function nextReadinessMs(memory: ProbeMemory, { periodSeconds }: Probe): number {
  const periodMs = periodSeconds * 1_000;
  if (memory.ok || memory.lastOk) return periodMs;
  return Math.min(periodMs, FIRST_RETRY_MS * 2 ** Math.min(memory.streak - 1, 16));
}
