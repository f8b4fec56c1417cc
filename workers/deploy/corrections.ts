import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import type { OwnerReport } from '#core/ports.ts';

type Seen = Pick<OwnerReport, 'owner' | 'release' | 'serving'>;

/**
 * Counts changes that no release led to: of an owner that served as the same release has it before. What is scaled by what
 * its pods use corrects nothing.
 */
export interface Corrections {
  passed(owners: readonly Seen[], done: readonly { owner: OwnerKey; plan: Plan }[]): void;
  counts(): Record<OwnerKey, number>;
}

export function createCorrections(last: readonly Seen[]): Corrections {
  const served = new Map<OwnerKey, string>();
  const counts = new Map<OwnerKey, number>();

  function remember(owners: readonly Seen[]): void {
    for (const { owner, release, serving } of owners) if (serving) served.set(owner, release);
  }

  remember(last);
  return {
    passed(owners, done) {
      for (const { owner, release } of owners) {
        if (served.get(owner) !== release) continue;
        const own = done.filter((each) => each.owner === owner && !isScaling(each.plan));
        const changes = own.reduce((sum, { plan }) => sum + plan.length, 0);
        counts.set(owner, (counts.get(owner) ?? 0) + changes);
      }
      remember(owners);
    },
    counts: () => Object.fromEntries(counts),
  };
}

function isScaling(plan: Plan): boolean {
  return plan.some(({ key }) => key.startsWith('HorizontalPodAutoscaler/'));
}
