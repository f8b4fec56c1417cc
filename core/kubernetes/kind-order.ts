/** What others need comes before them; kinds that are not here come after all of these. */
const BEFORE = [
  'Namespace',
  'CustomResourceDefinition',
  'StorageClass',
  'PriorityClass',
  'RuntimeClass',
  'IngressClass',
  'ResourceQuota',
  'LimitRange',
  'NetworkPolicy',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Service',
  'PodDisruptionBudget',
  'DaemonSet',
  'Pod',
  'ReplicaSet',
  'Deployment',
  'StatefulSet',
  'Job',
  'CronJob',
  'HorizontalPodAutoscaler',
  'Ingress',
];
/** They could refuse all that comes after them. */
const LAST = ['APIService', 'ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'];

/** Applied in rising order, deleted in falling. */
export function rankOf(kind: string): number {
  const place = BEFORE.indexOf(kind);
  return place === -1 ? BEFORE.length + 1 + LAST.indexOf(kind) : place;
}

/** What everything of its kind goes with, or what holds data: deleted only where somebody says so. */
export const PROTECTED: readonly string[] = [
  'Namespace',
  'CustomResourceDefinition',
  'PersistentVolumeClaim',
  'PersistentVolume',
];

/** What is there before all waves: others cannot even be looked at without it. */
export const FOUNDATIONS: readonly string[] = ['Namespace', 'CustomResourceDefinition'];
