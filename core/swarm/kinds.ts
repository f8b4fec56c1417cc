import {
  DaemonSet,
  Deployment,
  jobKindsWith,
  KINDS,
  PodSpec,
  PodTemplate,
  StatefulSet,
} from '#core/docker/kinds.ts';
import { PlacementFields, SelectionFields } from '#core/swarm/placement.ts';

const Template = PodTemplate.extend({ spec: PodSpec.extend(PlacementFields) });

/**
 * The kinds that the swarm engine runs, in the order in which they are made. Of their fields `refusals.ts` names those
 * that Swarm cannot do.
 */
export const SWARM_KINDS = {
  Namespace: KINDS.Namespace,
  ConfigMap: KINDS.ConfigMap,
  Secret: KINDS.Secret,
  PersistentVolumeClaim: KINDS.PersistentVolumeClaim,
  Service: KINDS.Service,
  IngressClass: KINDS.IngressClass,
  Ingress: KINDS.Ingress,
  Deployment: Deployment.extend({ spec: Deployment.shape.spec.extend({ template: Template }) }),
  DaemonSet: DaemonSet.extend({ spec: DaemonSet.shape.spec.extend({ template: Template }) }),
  StatefulSet: StatefulSet.extend({
    spec: StatefulSet.shape.spec.extend({
      template: StatefulSet.shape.spec.shape.template.extend({
        spec: StatefulSet.shape.spec.shape.template.shape.spec.extend(PlacementFields),
      }),
    }),
  }),
  ...jobKindsWith(SelectionFields),
} as const;
export type SwarmKind = keyof typeof SWARM_KINDS;
export const SWARM_KIND_ORDER = Object.keys(SWARM_KINDS) as SwarmKind[];

export function isSwarmKind(kind: string): kind is SwarmKind {
  return Object.hasOwn(SWARM_KINDS, kind);
}

/** Kinds of Kubernetes that it does not run, and why. */
export const KINDS_NOT_ON_SWARM: ReadonlyMap<string, string> = new Map([
  ['Pod', 'Swarm makes tasks anew and keeps none: say Deployment or Job'],
  ['StorageClass', 'volumes are those of the driver local'],
  [
    'HorizontalPodAutoscaler',
    'what tasks use is told on the server of each, and not to the swarm: engine docker or kubernetes runs it',
  ],
]);
