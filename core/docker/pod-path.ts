import type { Workload } from '#core/docker/workload.ts';
import type { FieldPath } from '#core/field-path.ts';

/** Where the pods are in the kind's document. */
export function podPathOf(kind: Workload['kind']): FieldPath {
  if (kind === 'Pod') return ['spec'];
  if (kind === 'CronJob') return ['spec', 'jobTemplate', 'spec', 'template', 'spec'];
  return ['spec', 'template', 'spec'];
}
