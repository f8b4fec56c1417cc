import type { Volume } from '#core/docker/kinds.ts';
import type { SetRules } from '#core/docker/set-state.ts';
import type { Workload } from '#core/docker/workload.ts';

/** The ordinals of its pods, the first one first. */
export function ordinalsOf({ spec: { replicas } }: Workload, { start }: SetRules): number[] {
  return Array.from({ length: replicas }, (_, index) => start + index);
}

export function setPodName({ metadata }: Workload, ordinal: number): string {
  return `${metadata.name}-${ordinal}`;
}

/** Absent where the StatefulSet has no pod of that name. */
export function ordinalOf({ metadata }: Workload, pod: string): number | undefined {
  const prefix = `${metadata.name}-`;
  const digits = pod.startsWith(prefix) ? pod.slice(prefix.length) : '';
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : undefined;
}

export function claimName(template: string, pod: string): string {
  return `${template}-${pod}`;
}

/** What the pod of that ordinal is made from: it knows its name and ordinal, and has claims of its own. */
export function withOrdinal(workload: Workload, set: SetRules, ordinal: number): Workload {
  const name = setPodName(workload, ordinal);
  const { metadata, spec } = workload.spec.template;
  const claimed = set.claims.map((claim): Volume => ({
    name: claim,
    persistentVolumeClaim: { claimName: claimName(claim, name), readOnly: false },
  }));
  return {
    ...workload,
    spec: {
      ...workload.spec,
      template: {
        metadata: {
          ...metadata,
          labels: {
            ...metadata.labels,
            'statefulset.kubernetes.io/pod-name': name,
            'apps.kubernetes.io/pod-index': String(ordinal),
          },
        },
        spec: {
          ...spec,
          hostname: name,
          ...(set.serviceName === undefined ? {} : { subdomain: set.serviceName }),
          // A claim takes the place of a volume of its name.
          volumes: [...spec.volumes.filter((each) => !set.claims.includes(each.name)), ...claimed],
        },
      },
    },
  };
}
