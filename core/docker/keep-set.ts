import { claimKey } from '#core/docker/claims.ts';
import { withoutEvicted } from '#core/docker/eviction.ts';
import { keepRolledOut, ownPods } from '#core/docker/keep-pods.ts';
import type { Kept, KeptPods } from '#core/docker/keep-pods.ts';
import type { PodTemplate } from '#core/docker/kinds.ts';
import { nextOrderedStep } from '#core/docker/ordered-rollout.ts';
import { podSpec, templateHash } from '#core/docker/pod-spec.ts';
import {
  claimName,
  ordinalOf,
  ordinalsOf,
  setPodName,
  withOrdinal,
} from '#core/docker/set-pods.ts';
import { templateBefore } from '#core/docker/set-state.ts';
import type { SetRules, SetState } from '#core/docker/set-state.ts';
import { provisionOf } from '#core/docker/storage-classes.ts';
import type { Classes } from '#core/docker/storage-classes.ts';
import type { LiveClaim, LivePod, LiveRecord, PodSpec, Step } from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** Volumes of claims that there are, and claims that manifests name themselves. */
export interface ClaimsThere {
  live: readonly LiveClaim[];
  declared: ReadonlySet<ResourceKey>;
  classes: Classes;
}

/**
 * What a StatefulSet needs next. What it remembers is recorded before what follows from it is done: which template pods
 * below the partition have, and whose claims go with pods that it is scaled down by.
 */
export function keepSet(
  kept: Kept,
  set: SetRules,
  recorded: LiveRecord | undefined,
  claims: ClaimsThere,
): KeptPods {
  const { workload, owner, workloads, now } = kept;
  const hash = templateHash(workload);
  const before = templateBefore(workload, recorded);
  const pods = withoutEvicted(ownPods(kept), now);
  const rollout = nextOrderedStep(workload, set, hash, { pods, now });
  const reclaiming = { kept, set, claims };
  const reclaim = reclaimed(reclaiming, recorded?.set?.reclaim ?? [], rollout.remove);
  const waiting = new Set(reclaim.map((ordinal) => setPodName(workload, ordinal)));
  function ordinalIn({ name }: { name: string }): number {
    return ordinalOf(workload, name) ?? 0;
  }
  function specOf(name: string): PodSpec {
    const ordinal = ordinalIn({ name });
    const isHeld = before !== undefined && ordinal - set.start < set.partition;
    const made = isHeld ? withTemplate(workload, before) : workload;
    const pod = podSpec(withOrdinal(made, set, ordinal), name, owner, workloads);
    // Its ordinal does not make it another template's.
    return { ...pod, templateHash: templateHash(made) };
  }
  const { condemned, updated, ...step } = rollout;
  const create = step.create.filter((name) => !waiting.has(name));
  const left = Math.max(0, ...condemned.map(({ deletingSince = 0 }) => deletingSince));
  const recordedAt = Math.max(kept.recordedAt, left);
  const result = keepRolledOut({ ...kept, recordedAt }, { ...step, create }, specOf);
  const gone = reclaimSteps(reclaiming, reclaim);
  return {
    ...result,
    pods: result.pods.toSorted((one, other) => ordinalIn(one) - ordinalIn(other)),
    steps: [
      ...createSteps(reclaiming, [...result.specs.keys(), ...create]),
      ...result.steps,
      ...gone,
    ],
    why: [...result.why, ...gone.map(({ name }) => `delete the volume of claim ${name}`)],
    ...stateOf(updated ? undefined : before, reclaim),
  };
}

function stateOf(before: PodTemplate | undefined, reclaim: number[]): { set?: SetState } {
  if (before === undefined && reclaim.length === 0) return {};
  return {
    set: {
      ...(before === undefined ? {} : { before }),
      ...(reclaim.length === 0 ? {} : { reclaim }),
    },
  };
}

interface Reclaiming {
  kept: Kept;
  set: SetRules;
  claims: ClaimsThere;
}

/** The ordinals whose claims go, with those of the pods that go now; not of one that is wanted again before it has gone. */
function reclaimed(
  { kept, set, claims }: Reclaiming,
  before: readonly number[],
  removed: readonly LivePod[],
): number[] {
  if (!set.reclaim.whenScaled) return [];
  const { workload } = kept;
  const wanted = new Set(ordinalsOf(workload, set));
  const condemned = removed
    .map(({ name }) => ordinalOf(workload, name))
    .filter((ordinal) => ordinal !== undefined && !wanted.has(ordinal));
  return [...new Set([...before, ...condemned])].filter((ordinal): ordinal is number => {
    if (ordinal === undefined) return false;
    const pod = ownPods(kept).find(({ name }) => name === setPodName(workload, ordinal));
    if (pod === undefined) return claimsOf({ kept, set, claims }, ordinal).length > 0;
    return pod.deletingSince !== undefined || !wanted.has(ordinal);
  });
}

/** Of pods that are gone. */
function reclaimSteps(
  reclaiming: Reclaiming,
  ordinals: readonly number[],
): Extract<Step, { kind: 'deleteClaim' }>[] {
  const { kept } = reclaiming;
  const taken = new Set(ownPods(kept).map(({ name }) => name));
  return ordinals
    .filter((ordinal) => !taken.has(setPodName(kept.workload, ordinal)))
    .flatMap((ordinal) => claimsOf(reclaiming, ordinal))
    .map(({ name, namespace }) => ({ kind: 'deleteClaim', name, namespace }));
}

/** The claims that were made for the pod of that ordinal. */
function claimsOf({ kept, set, claims }: Reclaiming, ordinal: number): LiveClaim[] {
  const { workload, owner } = kept;
  const namespace = workload.metadata.namespace ?? 'default';
  const names = set.claims.map((claim) => claimName(claim, setPodName(workload, ordinal)));
  return claims.live.filter(
    (claim) =>
      claim.owner === owner &&
      claim.namespace === namespace &&
      names.includes(claim.name) &&
      claim.reclaim !== 'Retain' &&
      !claims.declared.has(claimKey(claim)),
  );
}

/** Makes volumes that pods lack, before the pods. */
function createSteps(
  { kept: { workload, owner }, set, claims }: Reclaiming,
  pods: readonly string[],
): Step[] {
  const namespace = workload.metadata.namespace ?? 'default';
  const there = new Set([...claims.live.map(claimKey), ...claims.declared]);
  return pods
    .flatMap((pod) =>
      set.claims.map((claim) => ({
        name: claimName(claim, pod),
        namespace,
        provision: provisionOf(set.classes[claim], claims.classes),
      })),
    )
    .flatMap(({ provision, ...claim }): Step[] =>
      provision === undefined || there.has(claimKey(claim))
        ? []
        : [{ kind: 'createClaim', ...claim, owner, provision }],
    );
}

function withTemplate(workload: Workload, template: PodTemplate): Workload {
  return { ...workload, spec: { ...workload.spec, template } };
}
