import { z } from 'zod';
import { encodeBase64 } from '#core/base64.ts';
import { Command, HttpGet, TcpSocket } from '#core/docker/kinds-actions.ts';
import { DnsConfig, DnsPolicy, HostAlias } from '#core/docker/kinds-dns.ts';
import { Flag } from '#core/docker/host-sharing.ts';
import { Lifecycle } from '#core/docker/kinds-lifecycle.ts';
import { FieldRef, ResourceFieldRef } from '#core/docker/kinds-refs.ts';
import { PodSecurityContext, SecurityContext } from '#core/docker/kinds-security.ts';
import {
  DownwardApi,
  HostPath,
  Item,
  Mode,
  Projected,
  VolumeMount,
} from '#core/docker/kinds-volumes.ts';
import { ClaimSource, PersistentVolumeClaim } from '#core/docker/kinds-claim.ts';
import { HorizontalPodAutoscaler } from '#core/docker/kinds-autoscaler.ts';
import { Ingress, IngressClass } from '#core/docker/kinds-ingress.ts';
import { StorageClass } from '#core/docker/kinds-storage.ts';
import { Selector } from '#core/docker/selectors.ts';
import { CronJobFields } from '#core/docker/kinds-cron-job.ts';
import { backoffLimitOf, JobFields, jobProblems } from '#core/docker/kinds-job.ts';
import { Service } from '#core/docker/kinds-service.ts';
import { StatefulSetFields } from '#core/docker/kinds-stateful-set.ts';
import {
  Amount,
  Base64,
  DataKey,
  Label,
  metadata,
  Port,
  PortName,
  Protocol,
  Strings,
  Subdomain,
} from '#core/docker/kind-words.ts';
import { Quantity } from '#core/resources/quantity.ts';

/**
 * The kinds and fields that the docker engine runs, with Kubernetes' defaults filled in. Whatever is not here is
 * refused. Rules of names and defaults are those of Kubernetes 1.36's API reference.
 */

const EnvName = z
  .string()
  .regex(/^[-._a-zA-Z][-._a-zA-Z0-9]*$/, 'must be a name of an environment variable');

const Namespace = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Namespace'),
  metadata: z.strictObject({
    name: Label,
    labels: Strings.optional(),
    annotations: Strings.optional(),
  }),
});

export const ConfigMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: metadata(Subdomain),
  data: z.record(DataKey, z.string()).default({}),
  binaryData: z.record(DataKey, Base64).default({}),
  immutable: z.boolean().optional(),
});
export type ConfigMap = z.infer<typeof ConfigMap>;

/** `stringData` is folded into `data`, as the API server does. */
export const Secret = z
  .strictObject({
    apiVersion: z.literal('v1'),
    kind: z.literal('Secret'),
    metadata: metadata(Subdomain),
    type: z.string().default('Opaque'),
    data: z.record(DataKey, Base64).default({}),
    stringData: z.record(DataKey, z.string()).default({}),
    immutable: z.boolean().optional(),
  })
  .transform(({ stringData, data, ...secret }) => ({
    ...secret,
    data: {
      ...data,
      ...Object.fromEntries(
        Object.entries(stringData).map(([key, text]) => [key, encodeBase64(text)]),
      ),
    },
  }));
export type Secret = z.infer<typeof Secret>;

const KeyRef = z.strictObject({
  name: Subdomain,
  key: DataKey,
  optional: z.boolean().default(false),
});
const NameRef = z.strictObject({ name: Subdomain, optional: z.boolean().default(false) });

const EnvVar = z
  .strictObject({
    name: EnvName,
    value: z.string().optional(),
    valueFrom: z
      .strictObject({
        configMapKeyRef: KeyRef.optional(),
        secretKeyRef: KeyRef.optional(),
        fieldRef: FieldRef.optional(),
        resourceFieldRef: ResourceFieldRef.optional(),
      })
      .refine(
        (from) => Object.values(from).filter((source) => source !== undefined).length === 1,
        'must name one source',
      )
      .optional(),
  })
  .refine(
    (env) => env.value === undefined || env.valueFrom === undefined,
    'has both value and valueFrom',
  );

const EnvFrom = z
  .strictObject({
    prefix: z.string().default(''),
    configMapRef: NameRef.optional(),
    secretRef: NameRef.optional(),
  })
  .refine(
    (from) => (from.configMapRef === undefined) !== (from.secretRef === undefined),
    'must name one source',
  );

const ReadinessProbe = z
  .strictObject({
    httpGet: HttpGet.optional(),
    tcpSocket: TcpSocket.optional(),
    exec: z.strictObject({ command: Command }).optional(),
    grpc: z.strictObject({ port: Port, service: z.string().default('') }).optional(),
    initialDelaySeconds: z.int().min(0).default(0),
    periodSeconds: z.int().min(1).default(10),
    timeoutSeconds: z.int().min(1).default(1),
    successThreshold: z.int().min(1).default(1),
    failureThreshold: z.int().min(1).default(3),
  })
  .refine(
    ({ httpGet, tcpSocket, exec, grpc }) =>
      [httpGet, tcpSocket, exec, grpc].filter((action) => action !== undefined).length === 1,
    'must have one of httpGet, tcpSocket, exec and grpc',
  );
/** Of one that restarts the container: a single success will do. */
const RestartingProbe = ReadinessProbe.safeExtend({
  successThreshold: z.literal(1).default(1),
  terminationGracePeriodSeconds: z.int().min(1).optional(),
});
export type Probe = z.infer<typeof RestartingProbe> | z.infer<typeof ReadinessProbe>;

const Amounts = z.strictObject({ cpu: Quantity.optional(), memory: Quantity.optional() });

const Container = z.strictObject({
  name: Label,
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  workingDir: z.string().startsWith('/').optional(),
  env: z.array(EnvVar).default([]),
  envFrom: z.array(EnvFrom).default([]),
  ports: z
    .array(
      z.strictObject({
        name: PortName.optional(),
        containerPort: Port,
        protocol: Protocol,
        hostPort: Port.optional(),
        hostIP: z.ipv4().optional(),
      }),
    )
    .default([]),
  volumeMounts: z.array(VolumeMount).default([]),
  resources: z
    .strictObject({ limits: Amounts.optional(), requests: Amounts.optional() })
    .optional(),
  securityContext: SecurityContext.optional(),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  startupProbe: RestartingProbe.optional(),
  readinessProbe: ReadinessProbe.optional(),
  livenessProbe: RestartingProbe.optional(),
  lifecycle: Lifecycle.optional(),
  stdin: z.boolean().optional(),
  stdinOnce: z.boolean().optional(),
  tty: z.boolean().optional(),
  terminationMessagePath: z.string().startsWith('/', 'must be an absolute path').optional(),
  terminationMessagePolicy: z.enum(['File', 'FallbackToLogsOnError']).optional(),
});
export type Container = z.infer<typeof Container>;

/** With `restartPolicy: Always` it is a sidecar, which runs beside those after it. */
const InitContainer = Container.safeExtend({ restartPolicy: z.literal('Always').optional() });
export type InitContainer = z.infer<typeof InitContainer>;

const Volume = z
  .strictObject({
    name: Label,
    configMap: z
      .strictObject({
        name: Subdomain,
        items: z.array(Item).optional(),
        defaultMode: Mode.default(0o644),
        optional: z.boolean().default(false),
      })
      .optional(),
    secret: z
      .strictObject({
        secretName: Subdomain,
        items: z.array(Item).optional(),
        defaultMode: Mode.default(0o644),
        optional: z.boolean().default(false),
      })
      .optional(),
    emptyDir: z
      .strictObject({
        medium: z.enum(['', 'Memory']).default(''),
        sizeLimit: Quantity.optional(),
      })
      .optional(),
    hostPath: HostPath.optional(),
    persistentVolumeClaim: ClaimSource.optional(),
    projected: Projected.optional(),
    downwardAPI: DownwardApi.optional(),
  })
  .refine(
    // Its name is the other.
    (volume) => Object.values(volume).filter((value) => value !== undefined).length === 2,
    'must have one of configMap, secret, emptyDir, hostPath, persistentVolumeClaim, projected and downwardAPI',
  );
export type Volume = z.infer<typeof Volume>;

export const PodSpec = z.strictObject({
  initContainers: z.array(InitContainer).optional(),
  containers: z.array(Container).nonempty(),
  volumes: z.array(Volume).default([]),
  securityContext: PodSecurityContext.optional(),
  os: z
    .strictObject({ name: z.literal('linux', 'is linux: containers are those of Linux') })
    .optional(),
  hostNetwork: Flag,
  hostPID: Flag,
  hostIPC: Flag,
  shareProcessNamespace: Flag,
  hostname: Label.optional(),
  subdomain: Label.optional(),
  setHostnameAsFQDN: z.boolean().optional(),
  hostnameOverride: Subdomain.max(64).optional(),
  hostAliases: z.array(HostAlias).optional(),
  enableServiceLinks: z
    .literal(
      false,
      'must be false, which it is where it is left out: variables would tell of the Services that were there when the pod was made, names in the DNS tell of those that are',
    )
    .optional(),
  automountServiceAccountToken: z
    .literal(
      false,
      'must be false, which it is where it is left out: there is no Kubernetes API that a pod could call',
    )
    .optional(),
  dnsPolicy: DnsPolicy.optional(),
  dnsConfig: DnsConfig.optional(),
  // One without a name is nothing, as in Kubernetes.
  imagePullSecrets: z
    .array(z.strictObject({ name: z.union([Subdomain, z.literal('')]).default('') }))
    .optional(),
  restartPolicy: z.literal('Always').default('Always'),
  terminationGracePeriodSeconds: z.int().min(0).default(30),
});

export const PodTemplate = z.strictObject({
  metadata: z.strictObject({ labels: Strings.default({}), annotations: Strings.default({}) }),
  spec: PodSpec,
});

/** What only a Pod without a workload may say: that it has an end. */
const BarePodSpec = PodSpec.extend({
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
  activeDeadlineSeconds: z
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
});

export interface PodTemplate {
  metadata: z.infer<typeof PodTemplate>['metadata'];
  spec: z.infer<typeof BarePodSpec>;
}

const DEFAULT_ROLLING = { maxSurge: '25%', maxUnavailable: '25%' };
const DEFAULT_DAEMON_ROLLING = { maxSurge: 0, maxUnavailable: 1 };

const Strategy = z
  .strictObject({
    type: z.enum(['RollingUpdate', 'Recreate']).default('RollingUpdate'),
    rollingUpdate: z
      .strictObject({ maxSurge: Amount.default('25%'), maxUnavailable: Amount.default('25%') })
      .optional(),
  })
  .refine(
    (strategy) => strategy.type === 'RollingUpdate' || strategy.rollingUpdate === undefined,
    'rollingUpdate belongs to type RollingUpdate',
  )
  .transform((strategy) => ({
    type: strategy.type,
    rollingUpdate: strategy.rollingUpdate ?? DEFAULT_ROLLING,
  }));

export const Deployment = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata: metadata(Label),
  spec: z.strictObject({
    replicas: z.int().min(0).max(1_000).default(1),
    selector: Selector,
    template: PodTemplate,
    strategy: Strategy.default({ type: 'RollingUpdate', rollingUpdate: DEFAULT_ROLLING }),
    minReadySeconds: z.int().min(0).default(0),
    progressDeadlineSeconds: z.int().min(1).default(600),
    paused: z.boolean().default(false),
    // How many old ReplicaSets are kept to go back to: what can be gone back to is every release in git.
    revisionHistoryLimit: z.int().min(0).optional(),
  }),
});
export type Deployment = z.infer<typeof Deployment>;

const UpdateStrategy = z
  .strictObject({
    type: z.enum(['RollingUpdate', 'OnDelete']).default('RollingUpdate'),
    rollingUpdate: z
      .strictObject({ maxSurge: Amount.default(0), maxUnavailable: Amount.default(1) })
      .optional(),
  })
  .refine(
    (strategy) => strategy.type === 'RollingUpdate' || strategy.rollingUpdate === undefined,
    'rollingUpdate belongs to type RollingUpdate',
  )
  .transform((strategy) => ({
    type: strategy.type,
    rollingUpdate: strategy.rollingUpdate ?? DEFAULT_DAEMON_ROLLING,
  }));

export const DaemonSet = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('DaemonSet'),
  metadata: metadata(Label),
  spec: z.strictObject({
    selector: Selector,
    template: PodTemplate,
    updateStrategy: UpdateStrategy.default({
      type: 'RollingUpdate',
      rollingUpdate: DEFAULT_DAEMON_ROLLING,
    }),
    minReadySeconds: z.int().min(0).default(0),
    revisionHistoryLimit: z.int().min(0).optional(),
  }),
});
export type DaemonSet = z.infer<typeof DaemonSet>;

export const StatefulSet = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('StatefulSet'),
  metadata: metadata(Label),
  spec: z.strictObject({
    ...StatefulSetFields,
    selector: Selector,
    // Which it gives its pods itself.
    template: PodTemplate.extend({ spec: PodSpec.omit({ hostname: true, subdomain: true }) }),
  }),
});
export type StatefulSet = z.infer<typeof StatefulSet>;

export const Pod = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Pod'),
  metadata: metadata(Label),
  spec: BarePodSpec,
});
export type Pod = z.infer<typeof Pod>;

const JobPodSpec = BarePodSpec.extend({
  restartPolicy: z.enum(
    ['OnFailure', 'Never'],
    'must be OnFailure or Never: what runs for ever is no Job',
  ),
});

function jobSpecOf(podSpec: typeof JobPodSpec) {
  return z
    .strictObject({
      ...JobFields,
      template: z.strictObject({
        metadata: PodTemplate.shape.metadata.prefault({}),
        spec: podSpec,
      }),
    })
    .check(({ value, issues }) => {
      for (const problem of jobProblems(value))
        issues.push({ code: 'custom', input: value, ...problem });
    })
    .transform(({ parallelism = 1, completions = 1, ...spec }) => ({
      ...spec,
      parallelism,
      completions,
      backoffLimit: backoffLimitOf(spec),
    }));
}

const JobSpec = jobSpecOf(JobPodSpec);

export const Job = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: metadata(Label),
  spec: JobSpec,
});
export type Job = z.infer<typeof Job>;

/** As long as leaves room for the time in the names of its Jobs. */
const CRON_JOB_NAME = 52;

export const CronJob = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('CronJob'),
  metadata: metadata(Label.max(CRON_JOB_NAME)),
  spec: z.strictObject({
    ...CronJobFields,
    jobTemplate: z.strictObject({
      metadata: z
        .strictObject({ labels: Strings.optional(), annotations: Strings.optional() })
        .optional(),
      spec: JobSpec,
    }),
  }),
});
export type CronJob = z.infer<typeof CronJob>;

/** Both kinds of Job, whose pods may say these fields too. */
export function jobKindsWith(fields: Readonly<Record<string, z.ZodType>>): {
  Job: typeof Job;
  CronJob: typeof CronJob;
} {
  // Who adds fields knows what they hold.
  const spec = jobSpecOf(JobPodSpec.extend(fields) as unknown as typeof JobPodSpec);
  const { jobTemplate } = CronJob.shape.spec.shape;
  return {
    Job: Job.extend({ spec }),
    CronJob: CronJob.extend({
      spec: CronJob.shape.spec.extend({ jobTemplate: jobTemplate.extend({ spec }) }),
    }),
  };
}

/** Every kind with its schema, in the order in which they are made; they are deleted in the reverse of it. */
export const KINDS = {
  Namespace,
  ConfigMap,
  Secret,
  StorageClass,
  PersistentVolumeClaim,
  Service,
  Deployment,
  DaemonSet,
  StatefulSet,
  Pod,
  Job,
  CronJob,
  HorizontalPodAutoscaler,
  IngressClass,
  Ingress,
} as const;
export type Kind = keyof typeof KINDS;
export const KIND_ORDER = Object.keys(KINDS) as Kind[];

export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}
