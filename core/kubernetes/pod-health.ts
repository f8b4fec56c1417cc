import type { ContainerStatus, PodStatus } from '#core/engine.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import {
  conditionsOf,
  fieldsOf,
  listAt,
  numberAt,
  textAt,
} from '#core/kubernetes/status-fields.ts';
import type { Fields } from '#core/kubernetes/status-fields.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

/** A container has failed for good when it has ended that often. */
const CRASHES = 3;
/** Characters of what a container said at its end. */
const MOST_SAID = 500;
/** What has run for so long before it ended is started again at once; Kubernetes waits ever longer with all else. */
const BACK_OFF_RESET_MS = 600_000;
/** Kubernetes goes on trying, but no try will do: what they name has to change. */
const HOPELESS = new Set([
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/** A pod as it is kept here: what health and displays need. */
export interface KeptPod extends PodStatus {
  uid: string;
  resourceVersion: string;
  /** Which of the templates of its Deployment it was made from. */
  template: string;
  isEnding: boolean;
  /** Why no node takes it. */
  unschedulable?: string;
  /** What Kubernetes has met with in starting it. */
  warning?: string;
  /** Its containers that have ended again, and wait to be started. */
  backingOff: readonly string[];
}

export function podHealth(object: LiveObject): Seen {
  const pod = withBackOff(keptPod(object));
  const trouble = troubleOf(pod);
  if (trouble !== undefined)
    return { health: { status: 'Degraded', reason: trouble }, summary: trouble, isFinal: true };
  const phase = textAt(fieldsOf(object['status']), 'phase');
  if (phase === 'Succeeded')
    return { health: { status: 'Healthy', reason: '' }, summary: 'completed' };
  if (pod.phase === 'Failed') {
    const reason = pod.reason ?? failureOf(pod) ?? 'failed';
    return { health: { status: 'Degraded', reason }, summary: reason, isFinal: true };
  }
  if (pod.ready)
    return { health: { status: 'Healthy', reason: '' }, summary: 'ready', isRunning: true };
  const reason = pod.unschedulable ?? 'is not ready yet';
  return { health: { status: 'Progressing', reason }, summary: reason };
}

/**
 * Kubernetes tells CrashLoopBackOff either for as long as it waits or, as 1.36 does, for a moment at the end of that, and how
 * the container has ended before: here it is told all the time.
 */
export function withBackOff(pod: KeptPod): KeptPod {
  if (pod.backingOff.length === 0) return pod;
  return {
    ...pod,
    containers: pod.containers.map((container) => {
      if (!pod.backingOff.includes(container.name)) return container;
      const { reason = '', exitCode = 0, message, last: _last, ...others } = container;
      const said = message === undefined ? {} : { message };
      const last = { reason, exitCode, ...said };
      return { ...others, state: 'waiting', reason: 'CrashLoopBackOff', last };
    }),
  };
}

/** Why a pod will not get well by itself, with its container. */
export function troubleOf({ name, containers, phase }: KeptPod): string | undefined {
  if (phase !== undefined) return undefined;
  for (const { name: container, reason, message, restarts, last } of containers) {
    const isLooping = reason === 'CrashLoopBackOff' && restarts >= CRASHES;
    if (!isLooping && !HOPELESS.has(reason ?? '')) continue;
    const ended =
      last === undefined ? '' : `: ${howItEnded(last)}, ${restarts} restarts${said(last)}`;
    const told = message === undefined ? '' : `: ${message}`;
    return `${container} in ${name}: ${reason}${isLooping ? ended : told}`;
  }
  return undefined;
}

/** Of a pod that has failed: which of its containers did, and what it wrote last. */
export function failureOf({ name, phase, containers }: KeptPod): string | undefined {
  if (phase !== 'Failed') return undefined;
  const failed = containers.find(
    ({ state, exitCode = 0 }) => state === 'terminated' && exitCode !== 0,
  );
  if (failed === undefined) return undefined;
  const end = { reason: '', exitCode: 0, ...failed };
  return `${failed.name} in ${name}: ${howItEnded(end)}${said(end)}`;
}

function howItEnded({ reason, exitCode }: { reason: string; exitCode: number }): string {
  return reason === 'Error' || reason === '' ? `exit code ${exitCode}` : reason;
}

/** Its end, which says why, in one line. */
function said({ message = '' }: { message?: string }): string {
  const text = message.trim().slice(-MOST_SAID).replaceAll('\n', ' | ');
  return text === '' ? '' : `; last lines: ${text}`;
}

export function keptPod(object: LiveObject): KeptPod {
  const { metadata } = object;
  const status = fieldsOf(object['status']);
  const phase = textAt(status, 'phase');
  const isAtEnd = phase === 'Succeeded' || phase === 'Failed';
  const isEnding = metadata.deletionTimestamp !== undefined;
  const conditions = conditionsOf(status);
  const unschedulable = conditions.find(
    (each) => each.type === 'PodScheduled' && each.status === 'False',
  );
  const ip = textAt(status, 'podIP');
  const reason = textAt(status, 'reason') || textAt(status, 'message');
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    owner: keeperOf(object),
    template: metadata.labels?.['pod-template-hash'] ?? '',
    isEnding,
    ...(ip === '' ? {} : { ip }),
    ...(isAtEnd ? { phase } : {}),
    ...(reason === '' ? {} : { reason }),
    ready: conditions.some((each) => each.type === 'Ready' && each.status === 'True'),
    createdAt: Date.parse(metadata.creationTimestamp ?? ''),
    containers: [
      ...listAt(status, 'initContainerStatuses'),
      ...listAt(status, 'containerStatuses'),
    ].map(containerStatus),
    backingOff: isEnding || isAtEnd ? [] : backingOffIn(fieldsOf(object['spec']), status),
    ...(unschedulable === undefined
      ? {}
      : { unschedulable: `no node takes it: ${unschedulable.message}` }),
  };
}

function backingOffIn(spec: Fields, status: Fields): string[] {
  const policy = textAt(spec, 'restartPolicy') || 'Always';
  const init = policy === 'Always' ? 'OnFailure' : policy;
  return [
    ...namesBackingOff(
      listAt(status, 'initContainerStatuses'),
      listAt(spec, 'initContainers'),
      init,
    ),
    ...namesBackingOff(listAt(status, 'containerStatuses'), listAt(spec, 'containers'), policy),
  ];
}

/** The first time it is started again at once. */
function namesBackingOff(
  statuses: readonly Fields[],
  containers: readonly Fields[],
  policy: string,
): string[] {
  return statuses.flatMap((each) => {
    const name = textAt(each, 'name');
    const ended = fieldsOf(each['state'])['terminated'];
    if (ended === undefined || (numberAt(each, 'restartCount') ?? 0) === 0) return [];
    const own = containers.find((container) => textAt(container, 'name') === name) ?? {};
    const rule = textAt(own, 'restartPolicy') || policy;
    const { exitCode, startedAt, finishedAt } = fieldsOf(ended);
    const isStartedAgain = rule === 'Always' || (rule === 'OnFailure' && exitCode !== 0);
    const ranMs = Date.parse(String(finishedAt)) - Date.parse(String(startedAt));
    return isStartedAgain && !(ranMs >= BACK_OFF_RESET_MS) ? [name] : [];
  });
}

/** The workload that keeps it: a Deployment's ReplicaSet has its name and the hash that is on the pod too. */
function keeperOf({ metadata }: LiveObject): ResourceKey {
  const namespace = metadata.namespace ?? '';
  const controller = metadata.ownerReferences?.find((each) => each.controller === true);
  if (controller === undefined) return `Pod/${namespace}/${metadata.name}`;
  const hash = metadata.labels?.['pod-template-hash'];
  if (
    controller.kind === 'ReplicaSet' &&
    hash !== undefined &&
    controller.name.endsWith(`-${hash}`)
  )
    return `Deployment/${namespace}/${controller.name.slice(0, -hash.length - 1)}`;
  return `${controller.kind}/${namespace}/${controller.name}`;
}

function containerStatus(fields: Fields): ContainerStatus {
  const state = fieldsOf(fields['state']);
  const last = fieldsOf(fieldsOf(fields['lastState'])['terminated']);
  const [kind = 'waiting'] = (['running', 'terminated', 'waiting'] as const).filter(
    (each) => state[each] !== undefined,
  );
  const now = fieldsOf(state[kind]);
  const [reason, message] = [textAt(now, 'reason'), textAt(now, 'message')];
  const exitCode = numberAt(now, 'exitCode');
  const lastMessage = textAt(last, 'message');
  return {
    name: textAt(fields, 'name'),
    image: textAt(fields, 'image'),
    state: kind,
    ready: fields['ready'] === true,
    restarts: numberAt(fields, 'restartCount') ?? 0,
    ...(reason === '' ? {} : { reason }),
    ...(message === '' ? {} : { message }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(Object.keys(last).length === 0
      ? {}
      : {
          last: {
            reason: textAt(last, 'reason'),
            exitCode: numberAt(last, 'exitCode') ?? 0,
            ...(lastMessage === '' ? {} : { message: lastMessage }),
          },
        }),
  };
}
