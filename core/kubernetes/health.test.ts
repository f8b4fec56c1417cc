import { describe, expect, it } from 'vitest';
import { healthOf } from '#core/kubernetes/health.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';

type Fields = Record<string, unknown>;

function object(
  apiVersion: string,
  kind: string,
  { spec = {}, status = {}, metadata = {} }: { spec?: Fields; status?: Fields; metadata?: Fields },
): LiveObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name: 'x',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      generation: 2,
      ...metadata,
    },
    spec,
    status,
  };
}

function condition(type: string, status: string, reason = '', message = ''): Fields {
  return { type, status, reason, message };
}

const READY = {
  observedGeneration: 2,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 2,
  availableReplicas: 2,
};
const TWO = { replicas: 2 };

describe('healthOf', () => {
  it.each<[string, LiveObject, string, string]>([
    [
      'a Deployment that serves',
      object('apps/v1', 'Deployment', { spec: TWO, status: READY }),
      'Healthy',
      '',
    ],
    [
      'one that its controller has not seen',
      object('apps/v1', 'Deployment', { spec: TWO, status: { ...READY, observedGeneration: 1 } }),
      'Progressing',
      'its controller has not seen it yet',
    ],
    [
      'one that nobody has looked at at all',
      object('apps/v1', 'Deployment', { spec: TWO }),
      'Progressing',
      'its controller has not seen it yet',
    ],
    [
      'one with old pods',
      object('apps/v1', 'Deployment', { spec: TWO, status: { ...READY, replicas: 3 } }),
      'Progressing',
      '1 old pods have not ended yet',
    ],
    [
      'one whose new pods are not there yet',
      object('apps/v1', 'Deployment', { spec: TWO, status: { ...READY, updatedReplicas: 1 } }),
      'Progressing',
      '1 of 2 pods are new',
    ],
    [
      'one that is late',
      object('apps/v1', 'Deployment', {
        spec: TWO,
        status: {
          ...READY,
          availableReplicas: 0,
          conditions: [
            condition('Progressing', 'False', 'ProgressDeadlineExceeded', 'has timed out'),
          ],
        },
      }),
      'Degraded',
      'ProgressDeadlineExceeded: has timed out',
    ],
    [
      'one without replicas',
      object('apps/v1', 'Deployment', { spec: { replicas: 0 }, status: { observedGeneration: 2 } }),
      'Healthy',
      '',
    ],
    [
      'one that is paused',
      object('apps/v1', 'Deployment', { spec: { ...TWO, paused: true }, status: READY }),
      'Suspended',
      'is paused',
    ],
    [
      'a StatefulSet that is updated from its partition on',
      object('apps/v1', 'StatefulSet', {
        spec: { replicas: 3, updateStrategy: { rollingUpdate: { partition: 2 } } },
        status: {
          observedGeneration: 2,
          readyReplicas: 3,
          updatedReplicas: 1,
          currentRevision: 'a',
          updateRevision: 'b',
        },
      }),
      'Healthy',
      '',
    ],
    [
      'one that is under way',
      object('apps/v1', 'StatefulSet', {
        spec: { replicas: 3 },
        status: {
          observedGeneration: 2,
          readyReplicas: 3,
          updatedReplicas: 1,
          currentRevision: 'a',
          updateRevision: 'b',
        },
      }),
      'Progressing',
      '1 of 3 pods are new',
    ],
    [
      'a DaemonSet without nodes',
      object('apps/v1', 'DaemonSet', {
        status: { observedGeneration: 2, desiredNumberScheduled: 0 },
      }),
      'Healthy',
      '',
    ],
    [
      'a Job that runs',
      object('batch/v1', 'Job', { status: { active: 1 } }),
      'Progressing',
      '0 of 1 succeeded, 1 active',
    ],
    [
      'one that has not failed',
      object('batch/v1', 'Job', { status: { conditions: [condition('Failed', 'False')] } }),
      'Progressing',
      '0 of 1 succeeded',
    ],
    [
      'one that has failed',
      object('batch/v1', 'Job', {
        status: { conditions: [condition('Failed', 'True', 'BackoffLimitExceeded')] },
      }),
      'Degraded',
      'BackoffLimitExceeded',
    ],
    [
      'one that has completed',
      object('batch/v1', 'Job', { status: { conditions: [condition('Complete', 'True')] } }),
      'Healthy',
      '',
    ],
    [
      'a CronJob that is suspended',
      object('batch/v1', 'CronJob', { spec: { suspend: true } }),
      'Healthy',
      '',
    ],
    [
      'a claim',
      object('v1', 'PersistentVolumeClaim', { status: { phase: 'Pending' } }),
      'Progressing',
      'is not bound to a volume yet',
    ],
    [
      'a Service without its load balancer',
      object('v1', 'Service', { spec: { type: 'LoadBalancer' } }),
      'Progressing',
      'has no address of a load balancer yet',
    ],
    ['an Ingress without an address', object('networking.k8s.io/v1', 'Ingress', {}), 'Healthy', ''],
    [
      'an autoscaler that reads no metrics',
      object('autoscaling/v2', 'HorizontalPodAutoscaler', {
        status: {
          conditions: [
            condition('AbleToScale', 'True'),
            condition('ScalingActive', 'False', 'FailedGetResourceMetric'),
          ],
        },
      }),
      'Degraded',
      'FailedGetResourceMetric',
    ],
    [
      'a definition that is not established',
      object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', {}),
      'Progressing',
      'is not established yet',
    ],
    [
      'what is not known here and not ready',
      object('example.com/v1', 'Thing', {
        status: { conditions: [condition('Ready', 'False', 'Waiting', 'for a disk')] },
      }),
      'Progressing',
      'Waiting: for a disk',
    ],
    [
      'what is not known here and stalled',
      object('example.com/v1', 'Thing', {
        status: { conditions: [condition('Stalled', 'True', 'NoDisk')] },
      }),
      'Degraded',
      'NoDisk',
    ],
    ['what has nothing to say', object('example.com/v1', 'Thing', {}), 'Healthy', ''],
    [
      'what waits for a finalizer',
      object('v1', 'ConfigMap', {
        metadata: { deletionTimestamp: 't', finalizers: ['example.com/wait'] },
      }),
      'Progressing',
      'is being deleted: waits for example.com/wait',
    ],
  ])('%s', (_, live, status, reason) => {
    expect(healthOf(live).health).toEqual({ status, reason });
  });
});

describe('a Pod', () => {
  function pod(container: Fields, status: Fields = {}): LiveObject {
    return object('v1', 'Pod', {
      status: {
        phase: 'Running',
        containerStatuses: [{ name: 'web', image: 'web:1', ...container }],
        ...status,
      },
    });
  }

  it.each<[string, LiveObject, string, string]>([
    [
      'whose image is not there',
      pod({ state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } }),
      'Degraded',
      'web in x: ImagePullBackOff: not found',
    ],
    [
      'that has crashed once',
      pod({ restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } }),
      'Progressing',
      'is not ready yet',
    ],
    [
      'that crashes again and again',
      pod({
        restartCount: 3,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      }),
      'Degraded',
      'web in x: CrashLoopBackOff: OOMKilled, 3 restarts',
    ],
    [
      'that crashes again and again, while it waits to be started once more',
      pod({
        restartCount: 3,
        state: { terminated: { exitCode: 3, reason: 'Error', message: 'no database' } },
        lastState: { terminated: { exitCode: 4, reason: 'Error' } },
      }),
      'Degraded',
      'web in x: CrashLoopBackOff: exit code 3, 3 restarts; last lines: no database',
    ],
    [
      'that has crashed after it had run for long',
      pod({
        restartCount: 3,
        state: {
          terminated: {
            exitCode: 3,
            startedAt: '2026-01-01T00:00:00Z',
            finishedAt: '2026-01-01T00:10:00Z',
          },
        },
      }),
      'Progressing',
      'is not ready yet',
    ],
    ['that has completed', pod({}, { phase: 'Succeeded' }), 'Healthy', ''],
    ['that was evicted', pod({}, { phase: 'Failed', reason: 'Evicted' }), 'Degraded', 'Evicted'],
    [
      'that no node takes',
      pod(
        {},
        {
          conditions: [
            condition('PodScheduled', 'False', 'Unschedulable', '0/1 nodes are available'),
          ],
        },
      ),
      'Progressing',
      'no node takes it: 0/1 nodes are available',
    ],
    ['that is ready', pod({}, { conditions: [condition('Ready', 'True')] }), 'Healthy', ''],
  ])('%s', (_, live, status, reason) => {
    expect(healthOf(live).health).toEqual({ status, reason });
  });
});

it('tells at which ports a Service is asked', () => {
  const ports = [
    { port: 80, nodePort: 30_080, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ];
  const service = object('v1', 'Service', { spec: { clusterIP: '10.96.0.7', ports } });
  expect(healthOf(service).summary).toBe('10.96.0.7, ports 80:30080,53/UDP');
});
