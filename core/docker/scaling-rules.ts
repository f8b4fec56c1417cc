import type { AutoscalerSpec, Policy, Rules } from '#core/docker/kinds-autoscaler.ts';

const SECOND_MS = 1_000;

/** Times are milliseconds since the epoch. */
export interface Recommendation {
  at: number;
  replicas: number;
}

/** Replicas that were added, or taken away where it is negative. */
export interface ScaleEvent {
  at: number;
  by: number;
}

export interface ScalingHistory {
  /** What metrics asked for, before it was held back. */
  recommendations: readonly Recommendation[];
  events: readonly ScaleEvent[];
}

export interface Allowed {
  replicas: number;
  /** What holds it back from what is recommended. */
  limit?: string;
}

/** How many replicas there may be now where metrics ask for `recommended`. */
export function allowedReplicas(
  spec: AutoscalerSpec,
  current: number,
  recommended: number,
  history: ScalingHistory,
  now: number,
): Allowed {
  const stable = stabilized(spec, current, recommended, history, now);
  if (stable > current) {
    const rated = Math.max(current, rateLimit(spec.behavior.scaleUp, current, history, now, 1));
    const most = Math.min(spec.maxReplicas, rated);
    if (stable > most)
      return {
        replicas: most,
        limit: rated < spec.maxReplicas ? 'as fast as scaleUp lets it' : 'maxReplicas',
      };
  } else if (stable < current) {
    const rated = Math.min(current, rateLimit(spec.behavior.scaleDown, current, history, now, -1));
    const least = Math.max(spec.minReplicas, rated);
    if (stable < least)
      return {
        replicas: least,
        limit: rated > spec.minReplicas ? 'as fast as scaleDown lets it' : 'minReplicas',
      };
  }
  if (stable !== recommended) return { replicas: stable, limit: 'stabilized' };
  return { replicas: stable };
}

/** No more than the least, and no less than the most, that was recommended within the windows. */
function stabilized(
  { behavior: { scaleUp, scaleDown } }: AutoscalerSpec,
  current: number,
  recommended: number,
  { recommendations }: ScalingHistory,
  now: number,
): number {
  function within({ stabilizationWindowSeconds }: Rules): number[] {
    const since = now - stabilizationWindowSeconds * SECOND_MS;
    const recent = recommendations.filter(({ at }) => at > since);
    return [recommended, ...recent.map(({ replicas }) => replicas)];
  }
  const up = Math.min(...within(scaleUp));
  const down = Math.max(...within(scaleDown));
  return Math.min(Math.max(current, up), down);
}

/** How far the policies let it go from where it was when their periods began. */
function rateLimit(
  { selectPolicy, policies }: Rules,
  current: number,
  { events }: ScalingHistory,
  now: number,
  direction: 1 | -1,
): number {
  if (selectPolicy === 'Disabled') return current;
  const limits = policies.map((policy) => {
    const since = now - policy.periodSeconds * SECOND_MS;
    const changed = events.filter(({ at }) => at > since).reduce((sum, { by }) => sum + by, 0);
    return limitOf(policy, current - changed, direction);
  });
  return (selectPolicy === 'Max') === direction > 0 ? Math.max(...limits) : Math.min(...limits);
}

function limitOf({ type, value }: Policy, from: number, direction: 1 | -1): number {
  if (type === 'Pods') return from + direction * value;
  // In whole numbers first, for 10 and 10 % to be 11. Up it is rounded up, and down, down: there is always a way on.
  const limit = (from * (100 + direction * value)) / 100;
  return direction > 0 ? Math.ceil(limit) : Math.trunc(limit);
}
