import type { FieldRef, ResourceFieldRef } from '#core/docker/kinds-refs.ts';

interface Amounts {
  cpu?: number | undefined;
  memory?: number | undefined;
}

/** A container as far as its amounts can be asked for. */
export interface Sized {
  name: string;
  resources?: { limits?: Amounts | undefined; requests?: Amounts | undefined } | undefined;
}

export interface PodFields {
  name: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
}

/** A label or annotation that is not there is empty, as in Kubernetes. */
export function fieldValue({ fieldPath }: FieldRef, pod: PodFields): string {
  if (fieldPath === 'metadata.name') return pod.name;
  if (fieldPath === 'metadata.namespace') return pod.namespace;
  const [, group, key = ''] = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath) ?? [];
  const values = group === 'labels' ? pod.labels : pod.annotations;
  return Object.hasOwn(values, key) ? (values[key] ?? '') : '';
}

/** In units of the divisor, rounded up. Absent where the container does not say how much. */
export function resourceValue(
  { containerName, resource, divisor = 1 }: ResourceFieldRef,
  own: Sized,
  containers: readonly Sized[],
): string | undefined {
  const asked =
    containerName === undefined ? own : containers.find(({ name }) => name === containerName);
  const { limits = {}, requests = {} } = asked?.resources ?? {};
  const what = resource.endsWith('cpu') ? 'cpu' : 'memory';
  // What is not requested is requested by the limit.
  const amount = resource.startsWith('limits') ? limits[what] : (requests[what] ?? limits[what]);
  // Rounded to a nano unit first, for 0.3 / 0.1 to be 3.
  return amount === undefined
    ? undefined
    : String(Math.ceil(Math.round((amount / divisor) * 1e9) / 1e9));
}
