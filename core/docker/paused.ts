import type { LiveRecord } from '#core/docker/world.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper, keepsPods } from '#core/docker/workloads.ts';
import type { Resource } from '#core/resources/resource.ts';

/** What the pods of a Deployment are made from while it is paused; absent where it is not, or never had any. */
export function pausedTemplate(
  resource: Resource,
  before: LiveRecord | undefined,
): Pick<LiveRecord, 'pausedTemplate'> {
  if (!isPaused(resource) || before === undefined) return {};
  if (isPaused(before.resource)) return keptTemplate(before);
  return { pausedTemplate: keeper(before.resource).spec.template };
}

export function keptTemplate(record: LiveRecord | undefined): Pick<LiveRecord, 'pausedTemplate'> {
  return record?.pausedTemplate === undefined ? {} : { pausedTemplate: record.pausedTemplate };
}

function isPaused(resource: Resource): boolean {
  return keepsPods(resource) && keeper(resource).spec.paused;
}

/** As its pods are to be: a paused one keeps those it has, and makes none before it had any. */
export function asPaused(workload: Workload, record: LiveRecord | undefined): Workload {
  if (!workload.spec.paused) return workload;
  const template = record?.pausedTemplate;
  const spec = template === undefined ? { replicas: 0 } : { template };
  return { ...workload, spec: { ...workload.spec, ...spec } };
}
