import { pullSecretWarning } from '#core/docker/pull-secrets.ts';
import { keeperOf } from '#core/docker/pod-spec.ts';
import type { Workload } from '#core/docker/workload.ts';
import { sortWorkloads } from '#core/docker/workloads.ts';
import type { Resource } from '#core/resources/resource.ts';
import { keepCron } from '#core/swarm/keep-cron.ts';
import { keepService, rememberedOf, standInOf } from '#core/swarm/keep-service.ts';
import type { Keeper, KeepScope, Kept } from '#core/swarm/keep-service.ts';
import { keepSet } from '#core/swarm/keep-set.ts';
import { serviceStatus } from '#core/swarm/service-status.ts';
import type { ServiceStatus } from '#core/swarm/service-status.ts';

/** What every resource needs that keeps pods. */
export function keepServices(
  resources: readonly Resource[],
  scope: Omit<KeepScope, 'workloads'>,
): Keeper[] {
  const workloads = sortWorkloads(resources);
  return workloads.keepers.map((workload) => {
    const keeper = keep(workload, { ...scope, workloads });
    const warning = pullSecretWarning(workload, workloads);
    return warning === undefined ? keeper : { ...keeper, status: warned(keeper.status, warning) };
  });
}

function keep(workload: Workload, scope: KeepScope): Keeper {
  const { cron, set } = workload;
  const key = keeperOf(workload);
  const record = scope.world.records.find((each) => each.key === key);
  if (cron !== undefined) return keepCron(workload, cron, record, scope);
  if (set !== undefined) return keepSet(workload, set, record, scope);
  const kept = keepService(workload, record, scope);
  const standIn = standInOf(kept);
  return {
    key,
    kept: [...(standIn === undefined ? [] : [standIn]), kept],
    steps: kept.volumes,
    remembered: rememberedOf(kept),
    status: statusOf(kept, standIn),
  };
}

function warned({ status, failure, ...others }: ServiceStatus, warning: string): ServiceStatus {
  return {
    ...others,
    status: { ...status, summary: `${status.summary}; ${warning}` },
    ...(failure === undefined ? {} : { failure: `${failure}; ${warning}` }),
  };
}

/** While it waits for what stands in, what that lacks is what it lacks. */
function statusOf(kept: Kept, standIn: Kept | undefined): ServiceStatus {
  const own = serviceStatus(kept);
  if (standIn === undefined) return own;
  const other = serviceStatus(standIn);
  const pods = [...(own.status.pods ?? []), ...(other.status.pods ?? [])];
  if (!kept.beside.isAwaited) return { ...own, status: { ...own.status, pods } };
  const { reason } = other.status.health;
  const health = {
    status: other.failure === undefined ? ('Progressing' as const) : ('Degraded' as const),
    reason: `the first of the new: ${reason === '' ? 'ready' : reason}`,
  };
  return { ...other, status: { ...own.status, pods, health } };
}
