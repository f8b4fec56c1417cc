import type { CronRules } from '#core/docker/cron-state.ts';
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  Pod,
  PodTemplate,
  StatefulSet,
} from '#core/docker/kinds.ts';
import type { FailureRule, SuccessRule } from '#core/docker/kinds-job.ts';
import type { SetRules } from '#core/docker/set-state.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** A resource that keeps pods running, in the terms that are common to their kinds. */
export interface Workload {
  kind: 'Deployment' | 'DaemonSet' | 'StatefulSet' | 'Pod' | 'Job' | 'CronJob';
  metadata: Deployment['metadata'];
  spec: {
    replicas: number;
    template: PodTemplate;
    strategy: {
      /** With OnDelete a pod of an older template stays until somebody deletes it. */
      type: 'RollingUpdate' | 'Recreate' | 'OnDelete';
      rollingUpdate: { maxSurge: number | string; maxUnavailable: number | string };
    };
    minReadySeconds: number;
    /** Pods are scaled, and otherwise left as they are. */
    paused: boolean;
    progressDeadlineSeconds: number;
  };
  /** Of a Job. */
  job?: JobRules;
  /** Of a StatefulSet. */
  set?: SetRules;
  /** Of a CronJob, whose template is that of its Jobs. */
  cron?: CronRules;
  /** Of a Job of a CronJob: that one's key, and the hash of the template that all of its Jobs have in common. */
  of?: { keeper: ResourceKey; hash: string };
}

/** How a Job goes on until it has ended. */
export interface JobRules {
  parallelism: number;
  completions: number;
  indexed: boolean;
  backoffLimit: number;
  backoffLimitPerIndex?: number;
  maxFailedIndexes?: number;
  failureRules: readonly FailureRule[];
  successRules: readonly SuccessRule[];
  /** Whether a place is filled again only once the pod that was there is gone. */
  waitsForGone: boolean;
  activeDeadlineSeconds?: number;
  ttlSecondsAfterFinished?: number;
  suspend: boolean;
}

/** As a Deployment has it where it says nothing; the other kinds cannot say it. */
const PROGRESS_DEADLINE_SECONDS = 600;

const ONE_AT_A_TIME = {
  type: 'Recreate',
  rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
} as const;

/** A DaemonSet has one pod on each server, and there is one server; a Pod is the only one, under its own name. */
export function workloadOf(
  resource: Deployment | DaemonSet | StatefulSet | Pod | Job | CronJob,
): Workload {
  switch (resource.kind) {
    case 'Deployment':
      return resource;
    case 'DaemonSet': {
      const { template, updateStrategy, minReadySeconds } = resource.spec;
      return {
        kind: 'DaemonSet',
        metadata: resource.metadata,
        spec: {
          replicas: 1,
          template,
          strategy: updateStrategy,
          minReadySeconds,
          paused: false,
          progressDeadlineSeconds: PROGRESS_DEADLINE_SECONDS,
        },
      };
    }
    case 'StatefulSet':
      return setWorkload(resource);
    case 'Job':
      return jobWorkload(resource);
    case 'CronJob':
      return cronWorkload(resource);
    case 'Pod': {
      const { labels = {}, annotations = {} } = resource.metadata;
      return {
        kind: 'Pod',
        metadata: resource.metadata,
        spec: {
          replicas: 1,
          template: { metadata: { labels, annotations }, spec: resource.spec },
          // Two pods cannot have one name.
          strategy: ONE_AT_A_TIME,
          minReadySeconds: 0,
          paused: false,
          progressDeadlineSeconds: Math.max(
            PROGRESS_DEADLINE_SECONDS,
            resource.spec.activeDeadlineSeconds ?? 0,
          ),
        },
      };
    }
  }
}

function setWorkload({ metadata, spec }: StatefulSet): Workload {
  const { replicas, template, updateStrategy, minReadySeconds, serviceName } = spec;
  const { partition, maxUnavailable } = updateStrategy.rollingUpdate;
  return {
    kind: 'StatefulSet',
    metadata,
    spec: {
      replicas,
      template,
      strategy: { type: updateStrategy.type, rollingUpdate: { maxSurge: 0, maxUnavailable } },
      minReadySeconds,
      paused: false,
      progressDeadlineSeconds: PROGRESS_DEADLINE_SECONDS,
    },
    set: {
      start: spec.ordinals.start,
      partition,
      ordered: spec.podManagementPolicy === 'OrderedReady',
      claims: spec.volumeClaimTemplates.map((claim) => claim.metadata.name),
      classes: Object.fromEntries(
        spec.volumeClaimTemplates.map((claim) => [
          claim.metadata.name,
          claim.spec.storageClassName,
        ]),
      ),
      reclaim: {
        whenScaled: spec.persistentVolumeClaimRetentionPolicy.whenScaled === 'Delete',
        whenDeleted: spec.persistentVolumeClaimRetentionPolicy.whenDeleted === 'Delete',
      },
      ...(serviceName === undefined ? {} : { serviceName }),
    },
  };
}

function cronWorkload({ metadata, spec }: CronJob): Workload {
  const { schedule, timeZone, startingDeadlineSeconds, suspend, jobTemplate } = spec;
  const { job, ...workload } = jobWorkload({ metadata, spec: jobTemplate.spec });
  return {
    ...workload,
    kind: 'CronJob',
    cron: {
      schedule,
      ...(timeZone === undefined ? {} : { timeZone }),
      concurrency: spec.concurrencyPolicy,
      ...(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
      suspend,
      keep: { succeeded: spec.successfulJobsHistoryLimit, failed: spec.failedJobsHistoryLimit },
      spec: jobTemplate.spec,
      job,
    },
  };
}

export const JOB_NAME = 'batch.kubernetes.io/job-name';

/** Its pods carry its name, as in Kubernetes. */
function jobWorkload({ metadata, spec }: Pick<Job, 'metadata' | 'spec'>): Workload & {
  job: JobRules;
} {
  const { template, completionMode, activeDeadlineSeconds, ttlSecondsAfterFinished } = spec;
  const { backoffLimitPerIndex, maxFailedIndexes, podFailurePolicy } = spec;
  const names = { [JOB_NAME]: metadata.name, 'job-name': metadata.name };
  return {
    kind: 'Job',
    metadata,
    spec: {
      replicas: spec.completions,
      template: {
        ...template,
        metadata: { ...template.metadata, labels: { ...template.metadata.labels, ...names } },
      },
      strategy: ONE_AT_A_TIME,
      minReadySeconds: 0,
      paused: false,
      progressDeadlineSeconds: PROGRESS_DEADLINE_SECONDS,
    },
    job: {
      parallelism: spec.parallelism,
      completions: spec.completions,
      indexed: completionMode === 'Indexed',
      backoffLimit: spec.backoffLimit,
      ...(backoffLimitPerIndex === undefined ? {} : { backoffLimitPerIndex }),
      ...(maxFailedIndexes === undefined ? {} : { maxFailedIndexes }),
      failureRules: podFailurePolicy?.rules ?? [],
      successRules: spec.successPolicy?.rules ?? [],
      waitsForGone: podFailurePolicy !== undefined || spec.podReplacementPolicy === 'Failed',
      suspend: spec.suspend,
      ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }),
      ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
    },
  };
}
