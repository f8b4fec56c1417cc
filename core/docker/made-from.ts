import { override } from '#core/by-hand/overrides.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import { templateHash } from '#core/docker/pod-spec.ts';
import { keeper, keepsPods, normalise } from '#core/docker/workloads.ts';
import type { Resource } from '#core/resources/resource.ts';

/** Whether pods of the template were made from the workload, as it is or as it was restarted by hand. */
export function isMadeFrom(
  template: string,
  workload: Resource,
  overrides: readonly Override[],
): boolean {
  if (!keepsPods(workload)) return false;
  return [workload, override(workload, overrides)].some(
    (each) => templateHash(keeper(normalise(each))) === template,
  );
}
