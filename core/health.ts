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

/** The worst of the parts is the health of the whole; Healthy when there are none. */
export function worstHealth(parts: readonly Health[]): Health {
  return parts.reduce(
    (worst, part) =>
      HEALTH_ORDER.indexOf(part.status) > HEALTH_ORDER.indexOf(worst.status) ? part : worst,
    { status: 'Healthy', reason: '' },
  );
}
