import type { ByHand } from '#core/by-hand/by-hand.ts';
import { activeOverrides, override } from '#core/by-hand/overrides.ts';
import type { DesiredState } from '#core/engine.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

/** What a release wants, as people have altered it by hand. */
export function applyByHand(
  state: DesiredState,
  hand: ByHand | undefined,
  guard: PruneGuard,
  now: number,
): DesiredState {
  const overrides = activeOverrides(state, hand, now);
  return {
    ...state,
    resources: state.resources.map((resource) => override(resource, overrides)),
    ...(hand?.suspended === undefined ? {} : { suspended: true }),
    ...(hand?.confirmed?.release === state.release ? {} : { guard }),
  };
}

/** When what people did next changes by time alone (ms since the epoch). */
export function nextEnd(hand: ByHand | undefined, now: number): number {
  const ends = (hand?.scaled ?? []).map(({ until }) => until).filter((until) => until > now);
  return Math.min(Infinity, ...ends);
}
