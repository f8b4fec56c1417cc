import { z } from 'zod';
import type { PodTemplate } from '#core/docker/kinds.ts';
import type { FieldPath } from '#core/field-path.ts';

/** Which of the host's, or of each other's, namespaces the containers of a pod live in. */
export interface Sharing {
  hostNetwork: boolean;
  hostIpc: boolean;
  /** Of processes: each container its own, that of the pod, or the host's. */
  processes: 'container' | 'pod' | 'host';
}

type Report = (path: FieldPath, message: string, hint?: string) => void;
type PodSpec = Partial<
  Pick<PodTemplate['spec'], 'hostNetwork' | 'hostPID' | 'hostIPC' | 'shareProcessNamespace'>
>;

/** False is the same as not said, so that to say it makes no new pods. */
export const Flag = z
  .boolean()
  .optional()
  .transform((flag) => (flag === true ? flag : undefined));

export function sharingOf(spec: PodSpec): Sharing {
  const ofPod = spec.shareProcessNamespace === true ? 'pod' : 'container';
  return {
    hostNetwork: spec.hostNetwork === true,
    hostIpc: spec.hostIPC === true,
    processes: spec.hostPID === true ? 'host' : ofPod,
  };
}

/** As the API server refuses it. */
export function checkSharing(spec: PodSpec, path: FieldPath, report: Report): void {
  if (spec.hostPID === true && spec.shareProcessNamespace === true)
    report([...path, 'shareProcessNamespace'], 'cannot be true together with hostPID');
}
