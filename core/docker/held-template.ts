import type { PodTemplate } from '#core/docker/kinds.ts';
import { pausedTemplate } from '#core/docker/paused.ts';
import { templateBefore } from '#core/docker/set-state.ts';
import { keeper, keepsPods } from '#core/docker/workloads.ts';
import type { LiveRecord } from '#core/docker/world.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/**
 * Why a release is refused: pods that stay as they were, below a partition or of a paused Deployment, are made from what
 * it has no more. Their files would be emptied, and they could not be made again.
 */
export function findLostReference(
  resources: readonly Resource[],
  records: readonly LiveRecord[],
): string | undefined {
  const named = new Set(resources.map(keyOf));
  for (const resource of resources.filter(keepsPods)) {
    const record = records.find(({ key }) => key === keyOf(resource));
    const template = heldTemplate(resource, record);
    const namespace = resource.metadata.namespace ?? 'default';
    const lost = template && referencesOf(template, namespace).find((key) => !named.has(key));
    if (lost !== undefined)
      return `pods of ${keyOf(resource)} that are not updated yet use ${lost}, which the release has no more: leave it in until they are`;
  }
  return undefined;
}

function heldTemplate(resource: Resource, record: LiveRecord | undefined): PodTemplate | undefined {
  const workload = keeper(resource);
  const { set } = workload;
  if (set === undefined) return pausedTemplate(resource, record).pausedTemplate;
  const isHeld = Math.min(set.partition, workload.spec.replicas) > 0;
  return isHeld ? templateBefore(workload, record) : undefined;
}

interface Named {
  name: string;
  optional: boolean;
}

/** Keys of what pods of the template cannot be without. */
function referencesOf({ spec }: PodTemplate, namespace: string): ResourceKey[] {
  const { volumes, containers, initContainers = [] } = spec;
  const sources = volumes.flatMap(({ projected }) => projected?.sources ?? []);
  const all = [...containers, ...initContainers];
  const variables = all.flatMap(({ env }) => env.flatMap(({ valueFrom }) => valueFrom ?? []));
  const from = all.flatMap(({ envFrom }) => envFrom);
  function keys(kind: string, names: readonly (Named | undefined)[]): ResourceKey[] {
    return names.flatMap((each) =>
      each === undefined || each.optional ? [] : [`${kind}/${namespace}/${each.name}`],
    );
  }
  return [
    ...keys('ConfigMap', [
      ...volumes.map(({ configMap }) => configMap),
      ...sources.map(({ configMap }) => configMap),
      ...variables.map(({ configMapKeyRef }) => configMapKeyRef),
      ...from.map(({ configMapRef }) => configMapRef),
    ]),
    ...keys('Secret', [
      ...volumes.map(({ secret }) => secret && { ...secret, name: secret.secretName }),
      ...sources.map(({ secret }) => secret),
      ...variables.map(({ secretKeyRef }) => secretKeyRef),
      ...from.map(({ secretRef }) => secretRef),
    ]),
    ...keys(
      'PersistentVolumeClaim',
      volumes.map(
        ({ persistentVolumeClaim: claim }) => claim && { name: claim.claimName, optional: false },
      ),
    ),
  ];
}
