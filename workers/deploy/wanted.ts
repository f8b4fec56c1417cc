import { applyByHand } from '#core/by-hand/apply-by-hand.ts';
import type { AllByHand } from '#core/by-hand/by-hand.ts';
import type { DesiredState } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

/** What the owners on a cluster want now: their releases, as people have altered them by hand. */
export interface Wanted {
  /** What an owner wants from now on. */
  keep(state: DesiredState): void;
  /** The owners that are declared; what others have is neither healed nor removed. */
  declare(owners: readonly OwnerKey[], deploying: ReadonlySet<OwnerKey>): void;
  /** Declared owners of which no release is known here. */
  unknown(): OwnerKey[];
  takeByHand(all: AllByHand): void;
  /** A state that is no owner's yet, as it would be taken. */
  asTaken(state: DesiredState): DesiredState;
  /** Also of owners that are being deployed, whether they are declared or not. */
  all(deploying: ReadonlySet<OwnerKey>): DesiredState[];
}

export function createWanted(cluster: string, guard: PruneGuard): Wanted {
  const releases = new Map<OwnerKey, DesiredState>();
  let declared: ReadonlySet<OwnerKey> = new Set();
  let byHand: AllByHand = {};

  function asTaken(state: DesiredState): DesiredState {
    return applyByHand(state, byHand[state.owner], guard);
  }

  function deletions(deploying: ReadonlySet<OwnerKey>): DesiredState[] {
    return Object.entries(byHand)
      .filter(([owner]) => !declared.has(owner) && !deploying.has(owner))
      .filter(([, { deleted = [] }]) => deleted.some((each) => each.cluster === cluster))
      .map(([owner]) => ({ owner, release: '', resources: [] }));
  }

  return {
    keep: (state) => void releases.set(state.owner, state),
    declare(owners, deploying) {
      declared = new Set(owners);
      // Declared again later, its release may be another.
      for (const owner of releases.keys()) {
        if (!declared.has(owner) && !deploying.has(owner)) releases.delete(owner);
      }
    },
    unknown: () => [...declared].filter((owner) => !releases.has(owner)),
    takeByHand(all) {
      byHand = all;
    },
    asTaken,
    all: (deploying) => [
      ...[...releases.values()]
        .filter(({ owner }) => declared.has(owner) || deploying.has(owner))
        .map(asTaken),
      ...deletions(deploying),
    ],
  };
}
