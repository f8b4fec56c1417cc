import type { LiveObject } from '#core/kubernetes/live-object.ts';
import {
  conditionsOf,
  fieldsOf,
  listAt,
  numberAt,
  textAt,
} from '#core/kubernetes/status-fields.ts';
import type { Condition, Fields } from '#core/kubernetes/status-fields.ts';
import { podHealth } from '#core/kubernetes/pod-health.ts';
import type { JudgeHealth } from '#core/kubernetes/health-rules.ts';
import type { Seen } from '#core/kubernetes/seen.ts';

type Rule = (spec: Fields, status: Fields, object: LiveObject) => Seen;

const RULES: Readonly<Record<string, Rule>> = {
  'apps/Deployment': deploymentHealth,
  'apps/StatefulSet': statefulSetHealth,
  'apps/DaemonSet': daemonSetHealth,
  'apps/ReplicaSet': replicaSetHealth,
  'batch/Job': jobHealth,
  'batch/CronJob': cronJobHealth,
  '/Pod': (_spec, _status, object) => podHealth(object),
  '/PersistentVolumeClaim': claimHealth,
  '/Service': serviceHealth,
  '/Namespace': namespaceHealth,
  'networking.k8s.io/Ingress': ingressHealth,
  'autoscaling/HorizontalPodAutoscaler': autoscalerHealth,
  'apiextensions.k8s.io/CustomResourceDefinition': definitionHealth,
  'apiregistration.k8s.io/APIService': apiServiceHealth,
};

const NO_JUDGES: ReadonlyMap<string, JudgeHealth> = new Map();

/**
 * Health as its kind defines it; of kinds that are not known here by their conditions, which is what most controllers
 * write. What has neither is healthy when it is there. A judge of its kind goes before both.
 */
export function healthOf(
  object: LiveObject,
  judges: ReadonlyMap<string, JudgeHealth> = NO_JUDGES,
): Seen {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp !== undefined)
    return progressing(
      finalizers.length === 0
        ? 'is being deleted'
        : `is being deleted: waits for ${finalizers.join(', ')}`,
    );
  const spec = fieldsOf(object['spec']);
  const status = fieldsOf(object['status']);
  const group = object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] ?? '') : '';
  const judge = judges.get(`${group}/${object.kind}`);
  const rule = judge === undefined ? RULES[`${group}/${object.kind}`] : undefined;
  const observed = numberAt(status, 'observedGeneration');
  const generation = object.metadata.generation ?? 0;
  if (observed !== undefined && observed < generation)
    return {
      ...rule?.(spec, status, object),
      ...progressing('its controller has not seen it yet'),
    };
  if (judge !== undefined) return judge(object);
  return rule === undefined ? conditionHealth(status) : rule(spec, status, object);
}

function healthy(summary = ''): Seen {
  return { health: { status: 'Healthy', reason: '' }, summary };
}

function progressing(reason: string, summary = reason): Seen {
  return { health: { status: 'Progressing', reason }, summary };
}

function degraded(reason: string, summary = reason): Seen {
  return { health: { status: 'Degraded', reason }, summary };
}

function failed(reason: string): Seen {
  return { ...degraded(reason), isFinal: true };
}

function find(status: Fields, type: string): Condition | undefined {
  return conditionsOf(status).find((each) => each.type === type);
}

function why({ reason, message }: Condition): string {
  return [reason, message].filter((each) => each !== '').join(': ');
}

function deploymentHealth(spec: Fields, status: Fields, { metadata }: LiveObject): Seen {
  const desired = numberAt(spec, 'replicas') ?? 1;
  const ready = numberAt(status, 'readyReplicas') ?? 0;
  const updated = numberAt(status, 'updatedReplicas') ?? 0;
  const available = numberAt(status, 'availableReplicas') ?? 0;
  const all = numberAt(status, 'replicas') ?? 0;
  const replicas = { desired, ready };
  const summary = `${ready} of ${desired} ready`;
  if ((numberAt(status, 'observedGeneration') ?? 0) < (metadata.generation ?? 1))
    return { ...progressing('its controller has not seen it yet', summary), replicas };
  if (spec['paused'] === true)
    return { health: { status: 'Suspended', reason: 'is paused' }, summary, replicas };
  const progress = find(status, 'Progressing');
  if (progress?.reason === 'ProgressDeadlineExceeded')
    return { ...failed(why(progress)), replicas };
  const failure = find(status, 'ReplicaFailure');
  if (failure?.status === 'True') return { ...degraded(why(failure), summary), replicas };
  if (updated < desired)
    return { ...progressing(`${updated} of ${desired} pods are new`, summary), replicas };
  if (all > updated)
    return { ...progressing(`${all - updated} old pods have not ended yet`, summary), replicas };
  if (available < desired)
    return { ...progressing(`${available} of ${desired} pods are available`, summary), replicas };
  return { ...healthy(summary), replicas };
}

function statefulSetHealth(spec: Fields, status: Fields, { metadata }: LiveObject): Seen {
  const desired = numberAt(spec, 'replicas') ?? 1;
  const ready = numberAt(status, 'readyReplicas') ?? 0;
  const updated = numberAt(status, 'updatedReplicas') ?? 0;
  const summary = `${ready} of ${desired} ready`;
  const replicas = { desired, ready };
  if ((numberAt(status, 'observedGeneration') ?? 0) < (metadata.generation ?? 1))
    return { ...progressing('its controller has not seen it yet', summary), replicas };
  if (ready < desired)
    return { ...progressing(`${ready} of ${desired} pods are ready`, summary), replicas };
  const strategy = fieldsOf(spec['updateStrategy']);
  if (strategy['type'] === 'OnDelete') return { ...healthy(summary), replicas };
  const partition = numberAt(fieldsOf(strategy['rollingUpdate']), 'partition') ?? 0;
  const toUpdate = Math.max(0, desired - partition);
  if (textAt(status, 'updateRevision') !== textAt(status, 'currentRevision') && updated < toUpdate)
    return { ...progressing(`${updated} of ${toUpdate} pods are new`, summary), replicas };
  return { ...healthy(summary), replicas };
}

function daemonSetHealth(spec: Fields, status: Fields, { metadata }: LiveObject): Seen {
  const desired = numberAt(status, 'desiredNumberScheduled') ?? 0;
  const ready = numberAt(status, 'numberReady') ?? 0;
  const updated = numberAt(status, 'updatedNumberScheduled') ?? 0;
  const available = numberAt(status, 'numberAvailable') ?? 0;
  const summary = `${ready} of ${desired} ready`;
  const replicas = { desired, ready };
  if ((numberAt(status, 'observedGeneration') ?? 0) < (metadata.generation ?? 1))
    return { ...progressing('its controller has not seen it yet', summary), replicas };
  const isOnDelete = fieldsOf(spec['updateStrategy'])['type'] === 'OnDelete';
  if (!isOnDelete && updated < desired)
    return { ...progressing(`${updated} of ${desired} pods are new`, summary), replicas };
  if (available < desired)
    return { ...progressing(`${available} of ${desired} pods are available`, summary), replicas };
  return { ...healthy(summary), replicas };
}

function replicaSetHealth(spec: Fields, status: Fields): Seen {
  const desired = numberAt(spec, 'replicas') ?? 1;
  const ready = numberAt(status, 'readyReplicas') ?? 0;
  const available = numberAt(status, 'availableReplicas') ?? 0;
  const summary = `${ready} of ${desired} ready`;
  const replicas = { desired, ready };
  const failure = find(status, 'ReplicaFailure');
  if (failure?.status === 'True') return { ...degraded(why(failure), summary), replicas };
  if (available < desired)
    return { ...progressing(`${available} of ${desired} pods are available`, summary), replicas };
  return { ...healthy(summary), replicas };
}

function jobHealth(spec: Fields, status: Fields): Seen {
  const pods = jobPods(spec, status);
  const failure = find(status, 'Failed');
  if (failure?.status === 'True')
    return { ...failed(why(failure)), summary: `${failure.reason}, ${pods}` };
  if (find(status, 'Complete')?.status === 'True') return healthy(`Complete, ${pods}`);
  if (spec['suspend'] === true)
    return {
      health: { status: 'Suspended', reason: 'is suspended' },
      summary: `Suspended, ${pods}`,
    };
  return progressing(pods);
}

/** `1 of 3 succeeded, 2 active, 1 failed` */
function jobPods(spec: Fields, status: Fields): string {
  const active = numberAt(status, 'active') ?? 0;
  const failures = numberAt(status, 'failed') ?? 0;
  return [
    `${numberAt(status, 'succeeded') ?? 0} of ${numberAt(spec, 'completions') ?? 1} succeeded`,
    ...(active > 0 ? [`${active} active`] : []),
    ...(failures > 0 ? [`${failures} failed`] : []),
  ].join(', ');
}

function cronJobHealth(spec: Fields, status: Fields): Seen {
  if (spec['suspend'] === true) return healthy('Suspended');
  const last = textAt(status, 'lastScheduleTime');
  return healthy(last === '' ? 'has not run yet' : `last run at ${last}`);
}

function claimHealth(_spec: Fields, status: Fields): Seen {
  const phase = textAt(status, 'phase');
  const size = textAt(fieldsOf(status['capacity']), 'storage');
  if (phase === 'Bound') return healthy(['Bound', ...(size === '' ? [] : [size])].join(', '));
  if (phase === 'Lost') return failed('its volume is lost');
  return progressing('is not bound to a volume yet');
}

function serviceHealth(spec: Fields, status: Fields): Seen {
  const isBalanced = spec['type'] === 'LoadBalancer';
  const address = isBalanced ? balancerAddress(status) : textAt(spec, 'clusterIP');
  if (isBalanced && address === '') return progressing('has no address of a load balancer yet');
  const ports = listAt(spec, 'ports').map(portText).join(',');
  return healthy([address, ...(ports === '' ? [] : [`ports ${ports}`])].join(', '));
}

/** `80:30080`, `53:30053/UDP` */
function portText(fields: Fields): string {
  const nodePort = numberAt(fields, 'nodePort');
  const port = `${numberAt(fields, 'port')}${nodePort === undefined ? '' : `:${nodePort}`}`;
  const protocol = textAt(fields, 'protocol') || 'TCP';
  return protocol === 'TCP' ? port : `${port}/${protocol}`;
}

/** Controllers that publish no address are many, so that its lack is told and nothing waits for it. */
function ingressHealth(_spec: Fields, status: Fields): Seen {
  return healthy(balancerAddress(status) || 'no address told');
}

function balancerAddress(status: Fields): string {
  const ingress = fieldsOf(status['loadBalancer'])['ingress'];
  const [first] = Array.isArray(ingress) ? (ingress as unknown[]) : [];
  const fields = fieldsOf(first);
  return textAt(fields, 'ip') || textAt(fields, 'hostname');
}

function namespaceHealth(_spec: Fields, status: Fields): Seen {
  return textAt(status, 'phase') === 'Terminating' ? progressing('is being deleted') : healthy();
}

function autoscalerHealth(_spec: Fields, status: Fields): Seen {
  const able = find(status, 'AbleToScale');
  if (able?.status === 'False') return degraded(why(able));
  const active = find(status, 'ScalingActive');
  // Without replicas there is nothing to scale, which somebody has asked for.
  if (active?.status === 'False' && active.reason !== 'ScalingDisabled')
    return degraded(why(active));
  if (able === undefined) return progressing('its controller has not seen it yet');
  return healthy(`${numberAt(status, 'currentReplicas') ?? 0} replicas`);
}

function definitionHealth(_spec: Fields, status: Fields): Seen {
  const names = find(status, 'NamesAccepted');
  if (names?.status === 'False') return failed(why(names));
  if (find(status, 'Established')?.status === 'True') return healthy();
  return progressing('is not established yet');
}

function apiServiceHealth(_spec: Fields, status: Fields): Seen {
  const available = find(status, 'Available');
  if (available?.status === 'True') return healthy();
  return progressing(available === undefined ? 'is not available yet' : why(available));
}

/** Words that controllers share: Ready and its kin, Stalled, Reconciling. */
const GOOD = ['Ready', 'Available', 'Established', 'Succeeded', 'Healthy'];

function conditionHealth(status: Fields): Seen {
  const stalled = find(status, 'Stalled');
  if (stalled?.status === 'True') return failed(why(stalled));
  const reconciling = find(status, 'Reconciling');
  if (reconciling?.status === 'True') return progressing(why(reconciling));
  const good = GOOD.map((type) => find(status, type)).find((each) => each !== undefined);
  if (good === undefined || good.status === 'True') return healthy();
  return progressing(why(good) || `is not ${good.type}`);
}
