import type { ByHand } from '#core/by-hand/by-hand.ts';
import type { DesiredState } from '#core/engine.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

/** What a release wants, as people have altered it by hand. */
export function applyByHand(
  state: DesiredState,
  hand: ByHand | undefined,
  guard: PruneGuard,
): DesiredState {
  return hand?.confirmed?.release === state.release ? state : { ...state, guard };
}
