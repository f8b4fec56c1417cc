import { applyByHand } from '#core/by-hand/apply-by-hand.ts';
import type { AllByHand } from '#core/by-hand/by-hand.ts';
import type { DesiredState } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

/** What the owners on a cluster want now: their releases, as people have altered them by hand. */
export interface Wanted {
  /** What an owner wants from now on. */
  keep(state: DesiredState): void;
  takeByHand(all: AllByHand): void;
  /** A state that is no owner's yet, as it would be taken. */
  asTaken(state: DesiredState): DesiredState;
  all(): DesiredState[];
}

export function createWanted(guard: PruneGuard): Wanted {
  const releases = new Map<OwnerKey, DesiredState>();
  let byHand: AllByHand = {};

  function asTaken(state: DesiredState): DesiredState {
    return applyByHand(state, byHand[state.owner], guard);
  }

  return {
    keep: (state) => void releases.set(state.owner, state),
    takeByHand(all) {
      byHand = all;
    },
    asTaken,
    all: () => [...releases.values()].map(asTaken),
  };
}
