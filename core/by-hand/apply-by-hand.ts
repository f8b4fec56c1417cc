import type { ByHand } from '#core/by-hand/by-hand.ts';
import { activeOverrides, override } from '#core/by-hand/overrides.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import type { DesiredState } from '#core/engine.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

/** How long what was wanted to be spread over the servers anew may take to begin: others come first, or it is not well. */
const REBALANCE_MS = 24 * 3_600_000;

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
    ...scaledIn(overrides),
    ...rebalancedIn(state, hand),
    ...(hand?.suspended === undefined ? {} : { suspended: true }),
    ...(hand?.confirmed?.release === state.release ? {} : { guard }),
  };
}

function scaledIn(overrides: readonly Override[]): Pick<DesiredState, 'scaledByHand'> {
  const keys = overrides.flatMap(({ kind, resource }) => (kind === 'scale' ? [resource] : []));
  return keys.length === 0 ? {} : { scaledByHand: keys };
}

/** Another release is spread as it rolls. */
function rebalancedIn(
  { release }: DesiredState,
  hand: ByHand | undefined,
): Pick<DesiredState, 'rebalance'> {
  const wished = (hand?.rebalanced ?? [])
    .filter((each) => each.release === release)
    .map(({ resource, surplus, at }) => ({
      resource,
      surplus,
      id: String(at),
      until: at + REBALANCE_MS,
    }));
  return wished.length === 0 ? {} : { rebalance: wished };
}

/** When what people did next changes by time alone (ms since the epoch). */
export function nextEnd(hand: ByHand | undefined, now: number): number {
  const ends = (hand?.scaled ?? []).map(({ until }) => until).filter((until) => until > now);
  return Math.min(Infinity, ...ends);
}
