import { requestsOf, targetOf } from '#core/docker/keep-autoscalers.ts';
import type { HorizontalPodAutoscaler } from '#core/docker/kinds-autoscaler.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { FieldPath } from '#core/field-path.ts';
import { displayKey } from '#core/present/display.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { suggestion } from '#core/suggest.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/**
 * What of a HorizontalPodAutoscaler the schema cannot tell. `taken` has the targets of those before it. A target that
 * is not there is told while it runs, as in Kubernetes.
 */
export function checkAutoscaler(
  autoscaler: HorizontalPodAutoscaler,
  workload: Workload | undefined,
  taken: Set<ResourceKey>,
  report: Report,
): void {
  const target = targetOf(autoscaler);
  if (taken.has(target))
    report(
      ['spec', 'scaleTargetRef', 'name'],
      `another HorizontalPodAutoscaler scales ${displayKey(target)} already`,
      'give one of them all metrics',
    );
  taken.add(target);
  if (workload === undefined) return;
  const containers = requestsOf(workload);
  autoscaler.spec.metrics.forEach(({ resource, containerResource }, index) => {
    const source = resource ?? containerResource;
    if (source === undefined) return;
    const field = resource === undefined ? 'containerResource' : 'resource';
    const at = ['spec', 'metrics', index, field];
    const only = containerResource?.container;
    const own = containers.filter(({ name }) => only === undefined || name === only);
    if (own.length === 0)
      report(
        [...at, 'container'],
        `${displayKey(target)} has no container ${only}`,
        suggestion(
          only ?? '',
          containers.map(({ name }) => name),
        ),
      );
    const unsaid = own.filter((each) => (each[source.name] ?? 0) === 0);
    if (source.target.type !== 'Utilization' || unsaid.length === 0) return;
    const names = unsaid.map(({ name }) => name).join(', ');
    report(
      [...at, 'target', 'averageUtilization'],
      `is a part of what is requested, and ${names} of ${displayKey(target)} requests no ${source.name}`,
      `set resources.requests.${source.name} there, or say type: AverageValue`,
    );
  });
}
