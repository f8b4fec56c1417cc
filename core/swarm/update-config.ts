import { amount } from '#core/docker/rollout.ts';
import { gateOf } from '#core/swarm/rollout.ts';
import type { Workload } from '#core/docker/workload.ts';

const NANOSECONDS = 1_000_000_000;
/** What Swarm itself takes where nothing is said: a task that fails within it has failed the update. */
const SHORTEST_MONITOR_SECONDS = 5;
/** Swarm goes on once the service is written anew: after each step, or never. */
const UNTIL_TOLD_SECONDS = 90 * 86_400;

export interface UpdateConfig {
  /** So many at once; 0: all. */
  Parallelism: number;
  Delay: number;
  FailureAction: 'rollback' | 'pause' | 'continue';
  Monitor: number;
  MaxFailureRatio: number;
  Order: 'start-first' | 'stop-first';
}

interface Rolling {
  Parallelism: number;
  Order: UpdateConfig['Order'];
}

/**
 * How many tasks are changed at once, and which go first. Never more than `replicas + maxSurge` tasks and never fewer than
 * `replicas - maxUnavailable`. Absent where that cannot be: a port of the server has to be given up first.
 */
export function rollingOf({ spec }: Workload, hasHostPorts: boolean): Rolling | undefined {
  const { replicas, strategy } = spec;
  if (strategy.type === 'Recreate') return { Parallelism: 0, Order: 'stop-first' };
  const surge = amount(strategy.rollingUpdate.maxSurge, replicas, Math.ceil);
  const unavailable = amount(strategy.rollingUpdate.maxUnavailable, replicas, Math.floor);
  if (surge >= 1 && !hasHostPorts) return { Parallelism: surge, Order: 'start-first' };
  const cannotEnd = surge >= 1 && unavailable === 0 && replicas > 0;
  return cannotEnd ? undefined : { Parallelism: Math.max(1, unavailable), Order: 'stop-first' };
}

export function updateConfigOf(
  workload: Workload,
  hasHostPorts: boolean,
): { UpdateConfig: UpdateConfig; RollbackConfig: UpdateConfig } {
  const { minReadySeconds } = workload.spec;
  const gate = gateOf(workload);
  if (gate !== undefined) {
    const { parallelism, order } = gate;
    const gated: UpdateConfig = {
      Parallelism: parallelism,
      Order: order,
      Delay: UNTIL_TOLD_SECONDS * NANOSECONDS,
      // What it would go back to is the step before.
      FailureAction: 'pause',
      Monitor: SHORTEST_MONITOR_SECONDS * NANOSECONDS,
      MaxFailureRatio: 0,
    };
    return {
      UpdateConfig: gated,
      RollbackConfig: { ...gated, Delay: 0, FailureAction: 'continue' },
    };
  }
  const config: UpdateConfig = {
    ...(rollingOf(workload, hasHostPorts) ?? { Parallelism: 1, Order: 'stop-first' }),
    Delay: minReadySeconds * NANOSECONDS,
    // Of a StatefulSet's pods none goes back by itself, as in Kubernetes: the release does, with all of them.
    FailureAction: workload.kind === 'StatefulSet' ? 'continue' : 'rollback',
    Monitor: Math.max(SHORTEST_MONITOR_SECONDS, minReadySeconds) * NANOSECONDS,
    MaxFailureRatio: 0,
  };
  return {
    UpdateConfig: config,
    RollbackConfig: { ...config, Delay: 0, FailureAction: 'continue' },
  };
}
