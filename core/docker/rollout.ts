import type { Workload } from '#core/docker/workload.ts';
import { podName, templateHash } from '#core/docker/pod-spec.ts';
import { isAvailable, isReady, readySince } from '#core/docker/readiness.ts';
import type { LivePod } from '#core/docker/world.ts';

/** What a workload's pods need next, as names; nothing when it is as it should be or has to wait. */
export interface RolloutStep {
  create: string[];
  remove: LivePod[];
  /** All pods are of the current template and available, and no others are left. */
  complete: boolean;
  /** When a pod becomes available by time alone (ms). */
  wakeAt?: number;
}

/**
 * The next step of a rollout from the pods there are. Never more than `replicas + maxSurge` pods, and no removal that
 * leaves fewer than `replicas - maxUnavailable` available; pods that never became available go first. The arithmetic
 * is that of Kubernetes' Deployment controller.
 */
export function nextStep(workload: Workload, pods: readonly LivePod[], now: number): RolloutStep {
  const { replicas, minReadySeconds, strategy, paused } = workload.spec;
  const hash = templateHash(workload);
  const alive = pods.filter((pod) => pod.deletingSince === undefined);
  const current = alive.filter((pod) => pod.templateHash === hash);
  const old = alive.filter((pod) => pod.templateHash !== hash);
  function available(some: readonly LivePod[]): LivePod[] {
    return some.filter((pod) => isAvailable(pod, minReadySeconds, now));
  }
  const complete =
    old.length === 0 && current.length === replicas && available(current).length === replicas;
  const step = { complete, ...waiting(current, minReadySeconds, now) };
  if (paused || strategy.type === 'OnDelete') {
    const isWhole = alive.length === replicas && available(alive).length === replicas;
    return {
      ...step,
      complete: isWhole,
      create: freeNames(workload, pods, replicas - alive.length),
      remove: surplus(alive, replicas),
    };
  }
  if (strategy.type === 'Recreate') {
    if (old.length > 0) return { ...step, create: [], remove: old };
    // Those that are still ending count: two versions never run at once.
    if (pods.some((pod) => pod.templateHash !== hash)) return { ...step, create: [], remove: [] };
    return {
      ...step,
      create: freeNames(workload, pods, replicas - current.length),
      remove: surplus(current, replicas),
    };
  }
  const { maxSurge, maxUnavailable } = bounds(strategy.rollingUpdate, replicas);
  const create = Math.min(replicas - current.length, replicas + maxSurge - alive.length);
  const spare = available(alive).length - (replicas - maxUnavailable);
  const unavailableCurrent = current.length - available(current).length;
  const cleanUp = alive.length - (replicas - maxUnavailable) - unavailableCurrent;
  const broken = oldestFirst(old.filter((pod) => !isAvailable(pod, minReadySeconds, now))).slice(
    0,
    Math.max(0, cleanUp),
  );
  const retired = oldestFirst(available(old)).slice(0, Math.max(0, spare));
  return {
    ...step,
    create: freeNames(workload, pods, create),
    remove: [
      ...surplus(current, replicas),
      ...(current.length > replicas ? [] : [...broken, ...retired]),
    ],
  };
}

/** When the rollout last got on (ms): the newest pod of the current template that became ready, or its beginning. */
export function progressedAt(
  workload: Workload,
  pods: readonly LivePod[],
  recordedAt: number,
): number {
  const hash = templateHash(workload);
  const ready = pods.filter((pod) => pod.templateHash === hash && isReady(pod));
  return Math.max(recordedAt, ...ready.map(readySince));
}

/** Pods beyond `replicas`: those that are not ready go first, then the newest. */
function surplus(current: readonly LivePod[], replicas: number): LivePod[] {
  return current
    .toSorted(
      (one, other) =>
        Number(isReady(one)) - Number(isReady(other)) ||
        other.createdAt - one.createdAt ||
        (one.name < other.name ? 1 : -1),
    )
    .slice(0, Math.max(0, current.length - replicas));
}

function oldestFirst(pods: readonly LivePod[]): LivePod[] {
  return pods.toSorted(
    (one, other) => one.createdAt - other.createdAt || (one.name < other.name ? -1 : 1),
  );
}

/** The lowest slots whose names nobody has, one that is still ending included. */
function freeNames(workload: Workload, pods: readonly LivePod[], count: number): string[] {
  const taken = new Set(pods.map(({ name }) => name));
  const names: string[] = [];
  // The one name that it can have is free once the pod that has it is gone.
  if (workload.kind === 'Pod')
    return count < 1 || taken.has(podName(workload, 0)) ? [] : [podName(workload, 0)];
  for (let slot = 0; names.length < count; slot += 1) {
    const name = podName(workload, slot);
    if (!taken.has(name)) names.push(name);
  }
  return names;
}

/** Percentages of `replicas`: surge rounded up, unavailable down; both nothing would stand still for ever. */
function bounds(
  rolling: { maxSurge: number | string; maxUnavailable: number | string },
  replicas: number,
): { maxSurge: number; maxUnavailable: number } {
  const maxSurge = amount(rolling.maxSurge, replicas, Math.ceil);
  const maxUnavailable = amount(rolling.maxUnavailable, replicas, Math.floor);
  return {
    maxSurge,
    maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : Math.min(maxUnavailable, replicas),
  };
}

export function amount(
  value: number | string,
  replicas: number,
  round: (value: number) => number,
): number {
  return typeof value === 'number' ? value : round((Number.parseInt(value, 10) * replicas) / 100);
}

/** When the next of them has been ready for long enough. */
export function waiting(
  current: readonly LivePod[],
  minReadySeconds: number,
  now: number,
): { wakeAt?: number } {
  const times = current
    .filter(isReady)
    .map((pod) => readySince(pod) + minReadySeconds * 1_000)
    .filter((time) => time > now);
  return times.length === 0 ? {} : { wakeAt: Math.min(...times) };
}
