import type { AutoscalerSpec } from '#core/docker/kinds-autoscaler.ts';
import { proposeReplicas } from '#core/docker/metric-replicas.ts';
import type { Requesting, SampledPod } from '#core/docker/metric-replicas.ts';
import { allowedReplicas } from '#core/docker/scaling-rules.ts';
import type { Recommendation, ScaleEvent, ScalingHistory } from '#core/docker/scaling-rules.ts';
import type { Health } from '#core/health.ts';

/** Policies look back no further than that, nor do windows. */
const LONGEST_MS = 3_600_000;

export interface Measurement {
  pods: readonly SampledPod[];
  /** Of the target's template. */
  containers: readonly Requesting[];
}

/** How many replicas there are to be, and why. */
export interface Scaling {
  replicas: number;
  health: Health;
  /** What the metrics say, and what holds it back. */
  reason: string;
  recommendations: Recommendation[];
  events: ScaleEvent[];
}

/**
 * What a HorizontalPodAutoscaler decides each 15 seconds. Of several metrics the one counts that asks for most; where one
 * cannot be told, nothing is scaled down.
 */
export function autoscale(
  spec: AutoscalerSpec,
  current: number,
  { pods, containers }: Measurement,
  history: ScalingHistory,
  now: number,
): Scaling {
  const outside = withinBounds(spec, current, history, now);
  if (outside !== undefined) return outside;
  const proposals = spec.metrics.map((metric) =>
    proposeReplicas(metric, current, pods, containers, spec.behavior),
  );
  const told = proposals.flatMap((each) => ('told' in each ? [each] : []));
  const problems = proposals.flatMap((each) => ('problem' in each ? [each.problem] : []));
  const asked = Math.max(...told.map(({ replicas }) => replicas));
  const texts = told.map((each) => each.told);
  if (told.length === 0 || (problems.length > 0 && asked < current)) {
    const health = { status: 'Degraded', reason: problems.join('; ') } as const;
    return { ...kept(history, now), replicas: current, health, reason: texts.join(', ') };
  }
  const { replicas, limit } = allowedReplicas(spec, current, asked, history, now);
  const { recommendations, events } = kept(history, now);
  const why = limit === undefined || limit === 'stabilized' ? '' : ` (${limit})`;
  return {
    replicas,
    health: { status: 'Healthy', reason: '' },
    reason: `${texts.join(', ')}${why}`,
    recommendations: [...recommendations, { at: now, replicas: asked }],
    events: withChange(events, current, replicas, now),
  };
}

/** Where it has more or fewer than it may, which needs no metrics; absent where it has not. */
export function withinBounds(
  { minReplicas, maxReplicas }: AutoscalerSpec,
  current: number,
  history: ScalingHistory,
  now: number,
): Scaling | undefined {
  const replicas = Math.min(Math.max(current, minReplicas), maxReplicas);
  if (replicas === current) return undefined;
  const { recommendations, events } = kept(history, now);
  return {
    replicas,
    health: { status: 'Healthy', reason: '' },
    reason:
      current < minReplicas ? `minReplicas is ${minReplicas}` : `maxReplicas is ${maxReplicas}`,
    recommendations,
    events: withChange(events, current, replicas, now),
  };
}

function withChange(
  events: readonly ScaleEvent[],
  from: number,
  to: number,
  now: number,
): ScaleEvent[] {
  return from === to ? [...events] : [...events, { at: now, by: to - from }];
}

function kept(
  { recommendations, events }: ScalingHistory,
  now: number,
): Pick<Scaling, 'recommendations' | 'events'> {
  const since = now - LONGEST_MS;
  return {
    recommendations: recommendations.filter(({ at }) => at > since),
    events: events.filter(({ at }) => at > since),
  };
}
