import type { DaemonSet, Deployment, Pod, PodTemplate } from '#core/docker/kinds.ts';

/** A resource that keeps pods running, in the terms that are common to their kinds. */
export interface Workload {
  kind: 'Deployment' | 'DaemonSet' | 'Pod';
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
}

/** As a Deployment has it where it says nothing; the other kinds cannot say it. */
const PROGRESS_DEADLINE_SECONDS = 600;

/** A DaemonSet has one pod on each server, and there is one server; a Pod is the only one, under its own name. */
export function workloadOf(resource: Deployment | DaemonSet | Pod): Workload {
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
    case 'Pod': {
      const { labels = {}, annotations = {} } = resource.metadata;
      return {
        kind: 'Pod',
        metadata: resource.metadata,
        spec: {
          replicas: 1,
          template: { metadata: { labels, annotations }, spec: resource.spec },
          // Two pods cannot have one name.
          strategy: {
            type: 'Recreate',
            rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
          },
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
