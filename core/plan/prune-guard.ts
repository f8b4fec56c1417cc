import type { Change, Plan } from '#core/plan/change.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** How much may be deleted at once without anybody's confirmation. */
export interface PruneGuard {
  /** More than this part of what the owner has waits; 1 lets everything pass. */
  share: number;
  /** Fewer deletions than these never wait. */
  atLeast: number;
}

export interface GuardedPlan {
  plan: Plan;
  /** Deletions that wait for a confirmation. */
  held: Change[];
}

/** What the guard knows of a resource that the owner has. */
interface Owned {
  key: ResourceKey;
  /** It was held back before. */
  held?: boolean;
}

/**
 * Takes the deletions out of a plan that deletes too much at once. What was held back stays so while it is many: a
 * release that creates more than it deletes would otherwise free itself by growing.
 */
export function guardPrune(
  plan: Plan,
  owned: readonly Owned[],
  guard: PruneGuard | undefined,
): GuardedPlan {
  const deletions = plan.filter(({ action }) => action === 'delete');
  if (guard === undefined || guard.share >= 1 || deletions.length < Math.max(1, guard.atLeast))
    return { plan, held: [] };
  const before = new Set(owned.filter(({ held }) => held === true).map(({ key }) => key));
  const heldBefore = deletions.filter(({ key }) => before.has(key)).length;
  const tooMany = deletions.length > guard.share * owned.length;
  if (!tooMany && heldBefore < Math.max(1, guard.atLeast)) return { plan, held: [] };
  return {
    plan: plan.filter(({ action }) => action !== 'delete'),
    held: deletions.map((change) => ({
      ...change,
      reason: 'not in git any more; waits for a confirmation',
    })),
  };
}
