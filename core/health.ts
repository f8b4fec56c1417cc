/** Argo CD's words for how a resource is, ordered from best to worst. */
export const HEALTH_ORDER = [
  'Healthy',
  'Suspended',
  'Progressing',
  'Missing',
  'Degraded',
  'Unknown',
] as const;
export type HealthStatus = (typeof HEALTH_ORDER)[number];

export interface Health {
  status: HealthStatus;
  /** What is wrong or awaited, for a person; empty when Healthy. */
  reason: string;
}
