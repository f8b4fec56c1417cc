import type { KeptPod } from '#core/kubernetes/pod-health.ts';

/** One of a Deployment, made at 0 and not ready; without containers unless they are given. */
export function keptPod(fields: Partial<KeptPod> = {}): KeptPod {
  return {
    uid: 'u',
    resourceVersion: '1',
    name: 'web-x',
    namespace: 'shop',
    owner: 'Deployment/shop/web',
    template: 'x',
    isEnding: false,
    backingOff: [],
    ready: false,
    createdAt: 0,
    containers: [],
    ...fields,
  };
}
