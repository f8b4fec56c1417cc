import type { DaemonSet, Deployment, Job, Pod, PodTemplate } from '#core/docker/kinds.ts';

/** A resource that keeps pods running, in the terms that are common to their kinds. */
export interface Workload {
  kind: 'Deployment' | 'DaemonSet' | 'Pod' | 'Job';
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
}

/** How a Job goes on until it has ended. */
export interface JobRules {
  parallelism: number;
  completions: number;
  indexed: boolean;
  backoffLimit: number;
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
export function workloadOf(resource: Deployment | DaemonSet | Pod | Job): Workload {
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
    case 'Job':
      return jobWorkload(resource);
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

/** Its pods carry its name, as in Kubernetes. */
function jobWorkload({ metadata, spec }: Job): Workload {
  const { template, completionMode, activeDeadlineSeconds, ttlSecondsAfterFinished } = spec;
  const names = { 'batch.kubernetes.io/job-name': metadata.name, 'job-name': metadata.name };
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
      suspend: spec.suspend,
      ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }),
      ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
    },
  };
}
