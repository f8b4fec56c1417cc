import { isAvailable } from '#core/docker/readiness.ts';
import { amount, waiting } from '#core/docker/rollout.ts';
import type { RolloutStep } from '#core/docker/rollout.ts';
import { ordinalOf, ordinalsOf, setPodName } from '#core/docker/set-pods.ts';
import type { SetRules } from '#core/docker/set-state.ts';
import type { LivePod } from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';

export interface OrderedStep extends RolloutStep {
  /** Pods beyond the last ordinal, or before the first, the highest first. */
  condemned: LivePod[];
  /** None of the pods is of an older template, below the partition neither. */
  updated: boolean;
}

interface Slot {
  name: string;
  pod: LivePod | undefined;
  isAvailable: boolean;
  /** It is of another template than it is to have. */
  isOutdated: boolean;
}

/**
 * What a StatefulSet's pods need next: the lowest that lacks is made first, the highest goes first. Where they are
 * ordered, one step at a time, and only while all pods before it are available. Unlike in Kubernetes a pod of an older
 * template that is not available is replaced without waiting for it: else no release could be taken back that broke it.
 *
 * `hash` is of the template that is to be.
 */
export function nextOrderedStep(
  workload: Workload,
  set: SetRules,
  hash: string,
  { pods, now }: { pods: readonly LivePod[]; now: number },
): OrderedStep {
  const { replicas, minReadySeconds, strategy } = workload.spec;
  const isRolled = strategy.type === 'RollingUpdate';
  const slots = ordinalsOf(workload, set).map((ordinal, index): Slot => {
    const name = setPodName(workload, ordinal);
    const pod = pods.find((each) => each.name === name);
    return {
      name,
      pod,
      isAvailable: pod !== undefined && isAvailable(pod, minReadySeconds, now),
      isOutdated:
        isRolled && index >= set.partition && pod !== undefined && pod.templateHash !== hash,
    };
  });
  const names = new Set(slots.map(({ name }) => name));
  const condemned = pods
    .filter(({ name }) => !names.has(name))
    .toSorted((one, other) => ordinal(workload, other) - ordinal(workload, one));
  const isUp = slots.every((slot) => slot.isAvailable);
  const maxUnavailable = atLeastOne(strategy.rollingUpdate.maxUnavailable, replicas);
  const step = {
    condemned,
    complete: isUp && !slots.some(({ isOutdated }) => isOutdated) && !condemned.some(isStaying),
    updated: isUp && slots.every(({ pod }) => pod?.templateHash === hash),
    ...waiting(pods, minReadySeconds, now),
  };
  if (!set.ordered)
    return {
      ...step,
      create: slots.flatMap(({ name, pod }) => (pod === undefined ? [name] : [])),
      remove: [...condemned.filter(isStaying), ...outdated(slots, maxUnavailable)],
    };
  const first = slots.find((slot) => !slot.isAvailable);
  if (first !== undefined)
    return {
      ...step,
      create: first.pod === undefined ? [first.name] : [],
      remove: first.isOutdated ? [first.pod].filter(isThere).filter(isStaying) : [],
    };
  const [last] = condemned;
  if (last !== undefined)
    return { ...step, create: [], remove: condemned.every(isStaying) ? [last] : [] };
  return { ...step, create: [], remove: outdated(slots, maxUnavailable) };
}

/** Those to be replaced now, the highest first: one that is not available makes none unavailable. */
function outdated(slots: readonly Slot[], maxUnavailable: number): LivePod[] {
  let room = maxUnavailable - slots.filter((slot) => !slot.isAvailable).length;
  const removed: LivePod[] = [];
  for (const { pod, isAvailable: counts, isOutdated } of slots.toReversed()) {
    if (pod === undefined || !isOutdated || !isStaying(pod)) continue;
    if (counts && room < 1) break;
    if (counts) room -= 1;
    removed.push(pod);
  }
  return removed;
}

function ordinal(workload: Workload, { name }: LivePod): number {
  return ordinalOf(workload, name) ?? 0;
}

function isStaying({ deletingSince }: LivePod): boolean {
  return deletingSince === undefined;
}

function isThere(pod: LivePod | undefined): pod is LivePod {
  return pod !== undefined;
}

function atLeastOne(maxUnavailable: number | string, replicas: number): number {
  return Math.max(1, amount(maxUnavailable, replicas, Math.ceil));
}
