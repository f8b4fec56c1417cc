/** Why a key is not taken that is free in Kubernetes: `limits: { nvidia.com/gpu: 1 }`. */
export function whyNoSuchKey(above: string, key: string): string | undefined {
  if (above !== 'ResourceRequirements.limits' && above !== 'ResourceRequirements.requests')
    return undefined;
  if (key === 'ephemeral-storage')
    return 'Docker limits no disk of a container: say sizeLimit of an emptyDir';
  if (key.startsWith('hugepages-')) return 'Docker limits no huge pages of a container';
  return DEVICES;
}

/**
 * Fields of Kubernetes that have no meaning on the docker engine, and why: `Type.field`, or `Type.field.field` where it
 * is so only there. A field that is neither here nor in the schemas of `kinds.ts` could be honoured, and is not yet.
 */
export function whyNotApplicable(...fields: readonly string[]): string | undefined {
  return fields.map((field) => REASONS.get(field)).find((reason) => reason !== undefined);
}

export function notApplicableFields(): string[] {
  return [...REASONS.keys()];
}

const REPORTED = 'the cluster reports it; manifests do not say it';
const ONE_SERVER = 'there is one server, so nothing is scheduled';
const NO_API = 'there is no Kubernetes API that a pod could call';
const DEVICES = 'devices are handed out by drivers that run inside Kubernetes';
const DRIVER = 'it is attached by a driver that runs inside Kubernetes';

const GROUPS: readonly { reason: string; of: Readonly<Record<string, readonly string[]>> }[] = [
  {
    reason: REPORTED,
    of: {
      ObjectMeta: [
        'creationTimestamp',
        'deletionGracePeriodSeconds',
        'deletionTimestamp',
        'generation',
        'managedFields',
        'resourceVersion',
        'selfLink',
        'uid',
      ],
      Namespace: ['status'],
      Service: ['status'],
      Deployment: ['status'],
      DaemonSet: ['status'],
      StatefulSet: ['status'],
      Pod: ['status'],
      Ingress: ['status'],
      PersistentVolumeClaim: ['status'],
      Job: ['status'],
      CronJob: ['status'],
      HorizontalPodAutoscaler: ['status'],
    },
  },
  {
    reason: 'what git holds has a name, by which it is found again',
    of: { ObjectMeta: ['generateName'] },
  },
  {
    reason: 'the release says what is deleted, and Windlass in which order',
    of: { ObjectMeta: ['finalizers', 'ownerReferences'], Namespace: ['spec'] },
  },
  {
    reason: 'only a Pod without a workload or of a Job has an end, as in Kubernetes',
    of: { PodTemplateSpec: ['spec.activeDeadlineSeconds'] },
  },
  {
    reason: 'a pod of a StatefulSet has its own name, in the subdomain of its serviceName',
    of: { PodTemplateSpec: ['spec.hostname', 'spec.subdomain'] },
  },
  {
    reason: "a pod's claims are in the namespace of its StatefulSet",
    of: { PersistentVolumeClaim: ['metadata.namespace'] },
  },
  {
    reason: 'Windlass itself keeps it, and knows its pods by their names',
    of: { JobSpec: ['managedBy', 'manualSelector', 'selector'] },
  },
  {
    reason:
      'a Job has the name that its CronJob gives it, by its time, and is in the same namespace',
    of: { JobTemplateSpec: ['metadata.name', 'metadata.namespace'] },
  },
  { reason: 'a Namespace is in none itself', of: { Namespace: ['metadata.namespace'] } },
  {
    reason: 'a pod has the name and the namespace that its workload gives it',
    of: { PodTemplateSpec: ['metadata.name', 'metadata.namespace'] },
  },
  {
    reason: ONE_SERVER,
    of: {
      PodSpec: [
        'affinity',
        'nodeName',
        'nodeSelector',
        'overhead',
        'preemptionPolicy',
        'priority',
        'priorityClassName',
        'schedulerName',
        'schedulingGates',
        'schedulingGroup',
        'tolerations',
        'topologySpreadConstraints',
      ],
      ServiceSpec: ['trafficDistribution'],
    },
  },
  {
    reason: NO_API,
    of: { PodSpec: ['serviceAccount', 'serviceAccountName'] },
  },
  {
    reason: 'its conditions are set through the Kubernetes API, which is not there',
    of: { PodSpec: ['readinessGates'] },
  },
  {
    reason: 'they are added to a running pod by hand, never by a manifest',
    of: { PodSpec: ['ephemeralContainers'] },
  },
  {
    reason: DEVICES,
    of: { PodSpec: ['resourceClaims'], ResourceRequirements: ['claims'] },
  },
  {
    reason: 'labels of SELinux are given by Docker, where its host has them',
    of: {
      PodSecurityContext: ['seLinuxChangePolicy', 'seLinuxOptions'],
      SecurityContext: ['seLinuxOptions'],
    },
  },
  {
    reason: 'containers are those of Linux',
    of: { PodSecurityContext: ['windowsOptions'], SecurityContext: ['windowsOptions'] },
  },
  {
    reason: 'which mounts below a mount are read-only is left to Docker and its kernel',
    of: { VolumeMount: ['recursiveReadOnly'] },
  },
  {
    reason:
      'Kubernetes itself takes no such hook: it would fail whenever it runs; use exec or httpGet',
    of: { LifecycleHandler: ['tcpSocket'] },
  },
  {
    reason: 'it restarts nothing, as Kubernetes too refuses it',
    of: { Container: ['readinessProbe.terminationGracePeriodSeconds'] },
  },
  {
    reason:
      'containers are started again as their pod says: what has another end is a Pod of its own',
    of: { Container: ['restartPolicy', 'restartPolicyRules'] },
  },
  {
    reason: 'resources change by a new pod, which the rollout makes without an interruption',
    of: { Container: ['resizePolicy'] },
  },
  {
    reason: DRIVER,
    of: {
      Container: ['volumeDevices'],
      Volume: [
        'awsElasticBlockStore',
        'azureDisk',
        'azureFile',
        'cephfs',
        'cinder',
        'csi',
        'fc',
        'flexVolume',
        'flocker',
        'gcePersistentDisk',
        'glusterfs',
        'iscsi',
        'photonPersistentDisk',
        'portworxVolume',
        'quobyte',
        'rbd',
        'scaleIO',
        'storageos',
        'vsphereVolume',
      ],
    },
  },
  {
    reason: 'Kubernetes itself no longer mounts it: clone in an init container, into an emptyDir',
    of: { Volume: ['gitRepo'] },
  },
  {
    reason: 'balancers of a cloud are not there: the address is that of the host',
    of: {
      ServiceSpec: ['healthCheckNodePort', 'loadBalancerClass', 'loadBalancerIP'],
    },
  },
  {
    reason:
      'a NodePort or a LoadBalancer answers on every address of the host, and others do not lead to it',
    of: { ServiceSpec: ['externalIPs'] },
  },
  {
    reason: NO_API,
    of: { VolumeProjection: ['clusterTrustBundle', 'podCertificate', 'serviceAccountToken'] },
  },
  {
    reason: 'it would go with the pod: name a PersistentVolumeClaim, or say emptyDir',
    of: { Volume: ['ephemeral'] },
  },
  {
    reason: 'a claim has a volume of its own, empty at first',
    of: {
      PersistentVolumeClaimSpec: [
        'dataSource',
        'dataSourceRef',
        'selector',
        'volumeAttributesClassName',
        'volumeName',
      ],
    },
  },
  {
    reason: 'Docker limits no volume',
    of: { VolumeResourceRequirements: ['limits'] },
  },
  {
    reason: 'shares are mounted by the host: mount it there, and name it in a hostPath',
    of: { Volume: ['nfs'] },
  },
  {
    reason: 'not every Docker mounts images: copy from it in an init container, into an emptyDir',
    of: { Volume: ['image'] },
  },
  {
    reason: 'variables are known before any container of the pod has written a file',
    of: { EnvVarSource: ['fileKeyRef'] },
  },
  {
    reason: 'Docker limits containers, not what several have together',
    of: { PodSpec: ['resources'] },
  },
  {
    reason:
      "whether containers have users of their own is said to Docker's daemon, for all of them",
    of: { PodSpec: ['hostUsers'] },
  },
  {
    reason: 'RuntimeClass is not among the kinds: containers run in what Docker runs them in',
    of: { PodSpec: ['runtimeClassName'] },
  },
  {
    reason: 'a StorageClass is in no Namespace',
    of: { StorageClass: ['metadata.namespace'] },
  },
  { reason: 'one server has every volume', of: { StorageClass: ['allowedTopologies'] } },
  { reason: 'Docker limits no volume', of: { StorageClass: ['allowVolumeExpansion'] } },
  {
    reason: 'they are parameters of the driver: `o` of the local one',
    of: { StorageClass: ['mountOptions'] },
  },
  { reason: 'an IngressClass is in no Namespace', of: { IngressClass: ['metadata.namespace'] } },
  {
    reason: 'one edge serves every class, and takes no parameters',
    of: { IngressClassSpec: ['parameters'] },
  },
  {
    reason: 'there is no metrics API that it could be asked of: measured are cpu and memory',
    of: { MetricSpec: ['external', 'object', 'pods'] },
  },
  {
    reason: 'it is of Object and External metrics only: say averageValue',
    of: { MetricTarget: ['value'] },
  },
  { reason: 'the edge leads to Services only', of: { IngressBackend: ['resource'] } },
];

const REASONS: ReadonlyMap<string, string> = new Map(
  GROUPS.flatMap(({ reason, of }) =>
    Object.entries(of).flatMap(([type, fields]) =>
      fields.map((field) => [`${type}.${field}`, reason] as const),
    ),
  ),
);
