import type { Probe } from '#core/docker/world.ts';
import type { HealthCheck } from '#core/swarm/service.ts';

const NANOSECONDS = 1_000_000_000;

/** A command in the container; that of the image counts for nothing, as in Kubernetes. */
export function healthCheckOf(liveness: Probe | undefined): HealthCheck {
  if (liveness?.action.kind !== 'exec') return { Test: ['NONE'] };
  return {
    Test: ['CMD', ...liveness.action.command],
    Interval: liveness.periodSeconds * NANOSECONDS,
    Timeout: liveness.timeoutSeconds * NANOSECONDS,
    StartPeriod: liveness.initialDelaySeconds * NANOSECONDS,
    Retries: liveness.failureThreshold,
  };
}
