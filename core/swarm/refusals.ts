import { isHonouredOnSwarm } from '#core/swarm/honoured.ts';

/**
 * Fields that other engines honour and Swarm cannot, and why: `Type.field` of Kubernetes' own types. Values in `but` ask
 * for nothing, and are taken.
 */
interface Refusal {
  reason: string;
  but?: readonly unknown[];
}

const ONE_CONTAINER = 'a task of Swarm is one container';
const OTHERS = 'engine docker or kubernetes runs it';
const NOT_IN_API = 'a service of Swarm cannot say it';
const KEPT = 'volumes stay on their servers until somebody removes them';

const REFUSED: Readonly<Record<string, Refusal>> = {
  'PodSpec.initContainers': { reason: ONE_CONTAINER, but: [[]] },
  'PodSpec.shareProcessNamespace': { reason: ONE_CONTAINER, but: [false] },
  'PodSpec.hostNetwork': {
    reason: 'the swarm engine puts tasks on the network of the cluster',
    but: [false],
  },
  'PodSpec.hostPID': { reason: NOT_IN_API, but: [false] },
  'PodSpec.hostIPC': { reason: NOT_IN_API, but: [false] },
  'PodSpec.subdomain': { reason: 'tasks have no names of their own' },
  'PodSpec.setHostnameAsFQDN': { reason: 'tasks have no names of their own', but: [false] },
  'PodSpec.hostnameOverride': { reason: 'tasks have no names of their own' },
  'PodSpec.activeDeadlineSeconds': { reason: 'Swarm ends no task after a time' },
  'PodSecurityContext.fsGroup': { reason: 'Swarm gives volumes to no group' },
  'PodSecurityContext.fsGroupChangePolicy': { reason: 'Swarm gives volumes to no group' },
  'PodSecurityContext.appArmorProfile': { reason: NOT_IN_API },
  'SecurityContext.appArmorProfile': { reason: NOT_IN_API },
  'SecurityContext.privileged': { reason: NOT_IN_API, but: [false] },
  'SecurityContext.allowPrivilegeEscalation': { reason: NOT_IN_API, but: [true] },
  'Container.stdinOnce': { reason: NOT_IN_API, but: [false] },
  'Container.terminationMessagePath': {
    reason: 'nothing outlives a task',
    but: ['/dev/termination-log'],
  },
  'Container.terminationMessagePolicy': { reason: 'nothing outlives a task', but: ['File'] },
  'ContainerPort.hostIP': { reason: 'Swarm opens ports on all addresses of a server' },
  'Lifecycle.postStart': { reason: NOT_IN_API },
  'Lifecycle.preStop': { reason: NOT_IN_API },
  'Probe.terminationGracePeriodSeconds': { reason: NOT_IN_API },
  'VolumeMount.subPath': { reason: NOT_IN_API, but: [''] },
  'VolumeMount.subPathExpr': { reason: NOT_IN_API, but: [''] },
  'VolumeMount.mountPropagation': { reason: 'servers differ in what is mounted', but: ['None'] },
  'Volume.downwardAPI': { reason: 'files of Swarm are the same for every task' },
  'VolumeProjection.downwardAPI': { reason: 'files of Swarm are the same for every task' },
  'HostPathVolumeSource.type': { reason: 'Swarm does not look at the path first', but: [''] },
  'DeploymentSpec.paused': {
    reason: 'Swarm cannot scale a service and leave its tasks',
    but: [false],
  },
  'PersistentVolumeClaimSpec.storageClassName': {
    reason: 'volumes are those of the driver local',
    but: [''],
  },
  'StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled': { reason: KEPT, but: ['Retain'] },
  'StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted': { reason: KEPT, but: ['Retain'] },
  'JobSpec.activeDeadlineSeconds': { reason: 'Swarm ends no task after a time' },
  'JobSpec.ttlSecondsAfterFinished': { reason: 'a Job stays until git has it no more' },
  'JobSpec.completionMode': { reason: 'tasks of a job have no index', but: ['NonIndexed'] },
  'JobSpec.backoffLimitPerIndex': { reason: 'tasks of a job have no index' },
  'JobSpec.maxFailedIndexes': { reason: 'tasks of a job have no index' },
  'JobSpec.successPolicy': { reason: 'tasks of a job have no index' },
  'JobSpec.podFailurePolicy': { reason: 'Swarm itself starts a failed task again' },
  'JobSpec.podReplacementPolicy': { reason: 'Swarm itself starts a failed task again' },
  'JobSpec.suspend': { reason: 'a job of Swarm cannot be suspended', but: [false] },
};

/** Why Swarm does not take a field; absent where it does, or where the value asks for nothing. */
export function whyNotOnSwarm(field: string, value?: unknown): string | undefined {
  if (!Object.hasOwn(REFUSED, field))
    return isHonouredOnSwarm(field) ? undefined : `it is not done yet: ${OTHERS}`;
  const { reason, but = [] } = REFUSED[field] ?? { reason: '' };
  const isNothing = but.some((each) => JSON.stringify(each) === JSON.stringify(value));
  return isNothing ? undefined : `${reason}: ${OTHERS}`;
}

export function fieldsRefusedOnSwarm(): string[] {
  return Object.keys(REFUSED);
}
