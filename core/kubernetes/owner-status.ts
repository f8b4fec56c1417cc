import type { OwnerStatus, PodStatus, ResourceStatus } from '#core/engine.ts';
import type { Entries } from '#core/kubernetes/inventory.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import type { OwnerPlan } from '#core/kubernetes/plan-owner.ts';
import { failureOf, troubleOf } from '#core/kubernetes/pod-health.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import type { Target } from '#core/kubernetes/target.ts';
import { displayKey } from '#core/present/display.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

export interface StatusView {
  targets: readonly Target[];
  entries: Entries;
  live: (id: string) => KeptObject | undefined;
  pods: ReadonlyMap<ResourceKey, readonly KeptPod[]>;
}

export interface TargetStatus {
  target: Target;
  seen: Seen;
  /** It is as it is wanted, as far as it was applied. */
  isCurrent: boolean;
  pods: readonly KeptPod[];
}

/** How everything is that an owner wants. */
export function targetStatuses({ targets, entries, live, pods }: StatusView): TargetStatus[] {
  return targets.map((target) => {
    const kept = live(target.id);
    const own = pods.get(target.key) ?? [];
    const isCurrent = kept?.applied === target.hash;
    if (kept === undefined) return { target, isCurrent, pods: own, seen: absent(target, entries) };
    return { target, isCurrent, pods: own, seen: withPods(kept.seen, own) };
  });
}

function absent({ id, hash }: Target, entries: Entries): Seen {
  if (entries[id]?.done === hash)
    return { health: { status: 'Healthy', reason: '' }, summary: 'completed' };
  return { health: { status: 'Missing', reason: 'is not there' }, summary: 'not there' };
}

/** What is under way, and whose newest pods cannot get well, will not get there. What came too late is told with why. */
function withPods(seen: Seen, pods: readonly KeptPod[]): Seen {
  const { status, reason } = seen.health;
  if (status !== 'Progressing' && seen.isFinal !== true) return seen;
  const current = newest(pods);
  const trouble = current.map(troubleOf).find((each) => each !== undefined);
  if (trouble !== undefined)
    return { ...seen, health: { status: 'Degraded', reason: trouble }, isFinal: true };
  const failure = seen.isFinal === true ? latestFailure(pods) : undefined;
  if (failure !== undefined && reason !== failure)
    return { ...seen, health: { status, reason: `${reason}: ${failure}` } };
  const unschedulable = current.find((pod) => pod.unschedulable !== undefined)?.unschedulable;
  if (unschedulable === undefined) return withWarning(seen, current);
  if (seen.isFinal === true)
    return { ...seen, health: { status, reason: `${reason} ${unschedulable}` } };
  return { ...seen, health: { status, reason: unschedulable } };
}

function withWarning(seen: Seen, pods: readonly KeptPod[]): Seen {
  const late = pods.find(({ warning }) => warning !== undefined);
  if (late === undefined) return seen;
  const { status, reason } = seen.health;
  return { ...seen, health: { status, reason: `${reason}: ${late.name}: ${late.warning}` } };
}

function latestFailure(pods: readonly KeptPod[]): string | undefined {
  const latest = pods.toSorted((one, other) => other.createdAt - one.createdAt);
  return latest.map(failureOf).find((each) => each !== undefined);
}

/** Of the newest template: those of the one before may fail as they like. */
function newest(pods: readonly KeptPod[]): KeptPod[] {
  const staying = pods.filter(({ isEnding }) => !isEnding);
  const [latest] = staying.toSorted((one, other) => other.createdAt - one.createdAt);
  return staying.filter(({ template }) => template === latest?.template);
}

/** `Suspended` was asked for. */
export function isWell({ seen }: Pick<TargetStatus, 'seen'>): boolean {
  return seen.health.status === 'Healthy' || seen.health.status === 'Suspended';
}

/** What is told of an owner after a pass. `problem` is why something could not be done that may be done later. */
export function ownerStatus(
  { owner, release }: Pick<OwnerStatus, 'owner' | 'release'>,
  plan: OwnerPlan,
  statuses: readonly TargetStatus[],
  showPod: (pod: KeptPod) => PodStatus,
  problem?: { message: string; isFinal: boolean },
): OwnerStatus {
  const changes = [...plan.changes, ...plan.deletions].map(({ change }) => change);
  const failed = statuses.find(({ seen, isCurrent }) => isCurrent && seen.isFinal === true);
  const failure =
    plan.failure ??
    (problem?.isFinal === true ? problem.message : undefined) ??
    (failed === undefined
      ? undefined
      : `${displayKey(failed.target.key)}: ${failed.seen.health.reason}`);
  return {
    owner,
    release,
    plan: changes,
    held: plan.held,
    resources: statuses.map((each) => resourceStatus(each, showPod, problem?.message)),
    serving:
      failure === undefined &&
      problem === undefined &&
      changes.length + plan.remarked.length === 0 &&
      statuses.every(isWell),
    ...(failure === undefined ? {} : { failure }),
  };
}

function resourceStatus(
  { target: { key }, seen, pods }: TargetStatus,
  showPod: (pod: KeptPod) => PodStatus,
  problem: string | undefined,
): ResourceStatus {
  const isTold = problem?.startsWith(`${displayKey(key)}:`) === true;
  const { health, summary, replicas } = seen;
  return {
    key,
    health: isTold ? { status: 'Degraded', reason: problem } : health,
    summary,
    ...(replicas === undefined ? {} : { replicas }),
    ...(pods.length === 0 ? {} : { pods: pods.map(showPod) }),
  };
}
