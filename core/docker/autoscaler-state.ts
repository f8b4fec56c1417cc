import type { Usage } from '#core/docker/metric-replicas.ts';
import type { Recommendation, ScaleEvent } from '#core/docker/scaling-rules.ts';
import type { Health } from '#core/health.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** What a HorizontalPodAutoscaler remembers, in its record. */
export interface AutoscalerState {
  /** Whose replicas these are: of another target they are others. */
  target: ResourceKey;
  replicas: number;
  events: ScaleEvent[];
}

/** What it was last found to be, which may be lost: as in Kubernetes, what runs then is what was recommended last. */
export interface AutoscalerMemory {
  target: ResourceKey;
  /** Of the measurement that was decided from (ms). */
  measuredAt: number;
  recommendations: Recommendation[];
  health: Health;
  reason: string;
}

/** What containers of pods that are scaled use. */
export interface MeasuredUsage {
  /** When they were last measured (ms). */
  at: number;
  /** By the container's id. */
  containers: Readonly<Record<string, MeasuredContainer>>;
}

export interface MeasuredContainer extends Usage {
  /** When the interval began that its cpu is of (ms). */
  since?: number;
}
