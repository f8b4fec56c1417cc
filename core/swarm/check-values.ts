import { podPathOf } from '#core/docker/pod-path.ts';
import { RECLAIM_ANNOTATION } from '#core/docker/kinds-claim.ts';
import type { Container, Volume } from '#core/docker/kinds.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import type { Selector } from '#core/docker/selectors.ts';
import { amount } from '#core/docker/rollout.ts';
import type { Workload } from '#core/docker/workload.ts';
import { keeper, keepsPods } from '#core/docker/workloads.ts';
import type { FieldPath } from '#core/field-path.ts';
import { contentHash } from '#core/hash.ts';
import type { Resource } from '#core/resources/resource.ts';
import { SHARED_MEMORY } from '#core/swarm/health-check.ts';
import { isSwarmKind, SWARM_KINDS } from '#core/swarm/kinds.ts';
import type { SaysPlacement } from '#core/swarm/placement.ts';
import { rollingOf } from '#core/swarm/update-config.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** Of what share of servers none is left. */
const LARGEST_FLEET = 1_000;
const OTHERS = 'engine docker or kubernetes runs it';
/** What Swarm takes of one config and one secret, in bytes. */
const MOST_BYTES = { ConfigMap: 1_000 * 1_024, Secret: 500 * 1_024 };
/** Of all that a resource holds: its record is one entry of Swarm's own log. */
const MOST_TOGETHER = 1_000_000;

/** What of a document only its values tell that Swarm cannot do it. */
export function checkValues(kind: string, value: unknown, report: Report): void {
  const result = isSwarmKind(kind) ? SWARM_KINDS[kind].safeParse(value) : undefined;
  if (result?.success !== true) return;
  const resource = result.data as unknown as Resource;
  if (kind === 'ConfigMap' || kind === 'Secret') checkSizes(kind, resource, report);
  if (kind === 'PersistentVolumeClaim') checkReclaim(resource, report);
  if (kind === 'Service') checkService(resource as unknown as Service, report);
  if (keepsPods(resource)) checkPods(resource, report);
}

function checkSizes(kind: 'ConfigMap' | 'Secret', resource: Resource, report: Report): void {
  const data = { ...(resource['data'] as object), ...(resource['binaryData'] as object) };
  let together = 0;
  for (const [key, content] of Object.entries(data) as [string, string][]) {
    together += content.length;
    if (content.length > MOST_BYTES[kind])
      report(
        ['data', key],
        `is larger than the ${MOST_BYTES[kind] / 1_024} KiB that Swarm takes of a file`,
      );
  }
  if (together > MOST_TOGETHER) report(['data'], 'is larger than 1 MB together');
}

function checkReclaim({ metadata }: Resource, report: Report): void {
  if ((metadata.annotations ?? {})[RECLAIM_ANNOTATION] === 'Delete')
    report(
      ['metadata', 'annotations', RECLAIM_ANNOTATION],
      `the swarm engine cannot do this: volumes stay on their servers until somebody removes them: ${OTHERS}`,
    );
}

function checkService({ spec }: Service, report: Report): void {
  if (spec.internalTrafficPolicy === 'Local')
    report(['spec', 'internalTrafficPolicy'], `tasks are asked on every server: ${OTHERS}`);
}

function checkPods(resource: Resource, report: Report): void {
  const workload = keeper(resource);
  const { spec } = workload.spec.template;
  const path = podPathOf(workload.kind);
  if (spec.containers.length > 1)
    report(
      [...path, 'containers', 1],
      `the swarm engine cannot do this: a task of Swarm is one container: ${OTHERS}`,
      'make a Deployment of each',
    );
  spec.containers.forEach((container, index) => {
    checkContainer(container, [...path, 'containers', index], report);
    checkStartup(container, spec.volumes, [...path, 'containers', index], report);
  });
  spec.volumes.forEach((volume, index) => checkVolume(volume, [...path, 'volumes', index], report));
  spec.volumes.forEach(({ persistentVolumeClaim: claim }, index) => {
    if (claim !== undefined && resource.kind === 'DaemonSet')
      report(
        [...path, 'volumes', index, 'persistentVolumeClaim'],
        `a volume is on one server, and a DaemonSet has a pod on every one: ${OTHERS}`,
        'say hostPath',
      );
  });
  checkSpread(resource, spec as SaysPlacement, [...path, 'topologySpreadConstraints'], report);
  const seccomp = spec.securityContext?.seccompProfile;
  if (seccomp !== undefined && seccomp.type !== 'RuntimeDefault')
    report([...path, 'securityContext', 'seccompProfile', 'type'], MUST_BE_DEFAULT);
  if (workload.spec.strategy.type === 'OnDelete')
    report(
      ['spec', 'updateStrategy', 'type'],
      `Swarm itself updates a service: ${OTHERS}`,
      'say RollingUpdate',
    );
  checkDaemonRollout(workload, report);
  const hasHostPorts = spec.containers.some(({ ports }) =>
    ports.some(({ hostPort }) => hostPort !== undefined),
  );
  if (hasHostPorts && rollingOf(workload, true) === undefined)
    report(
      ['spec', resource.kind === 'DaemonSet' ? 'updateStrategy' : 'strategy'],
      'a new task waits for the port of the server that the old one has, which may not go first',
      'say rollingUpdate: { maxSurge: 0, maxUnavailable: 1 }',
    );
}

/** On a server of a global service Swarm has the new task for the old one as soon as it runs, and there is none beside it. */
function checkDaemonRollout({ kind, spec }: Workload, report: Report): void {
  const [container] = spec.template.spec.containers;
  const saysWhen = container?.readinessProbe !== undefined || spec.minReadySeconds > 0;
  if (kind !== 'DaemonSet' || spec.strategy.type !== 'RollingUpdate' || !saysWhen) return;
  const { maxUnavailable } = spec.strategy.rollingUpdate;
  if (amount(maxUnavailable, LARGEST_FLEET, Math.floor) > 0) return;
  report(
    ['spec', 'updateStrategy', 'rollingUpdate', 'maxUnavailable'],
    `Swarm ends the old pod of a server as soon as the new one runs, ready or not: ${OTHERS}`,
    'say maxSurge: 0 and maxUnavailable: 1, or leave out readinessProbe and minReadySeconds',
  );
}

/** Swarm counts the tasks of the service itself, and those alone. */
function checkSpread(
  { kind, spec }: Resource,
  { topologySpreadConstraints = [] }: SaysPlacement,
  path: FieldPath,
  report: Report,
): void {
  const { selector } = spec as { selector?: Selector };
  topologySpreadConstraints.forEach(({ labelSelector }, index) => {
    if (kind === 'DaemonSet')
      report(
        [...path, index],
        'is of no use: a DaemonSet has a pod on every server',
        'leave it out',
      );
    else if (contentHash(labelSelector ?? {}) !== contentHash(selector ?? {}))
      report(
        [...path, index, 'labelSelector'],
        `must be the ${kind}'s own selector: Swarm spreads the tasks of a service, and counts no others`,
      );
  });
}

const SAY_ANOTHER = 'say tcpSocket, or exec with a program that the image has';
const MUST_BE_DEFAULT = `must be RuntimeDefault: a service of Swarm cannot say another: ${OTHERS}`;

function checkContainer(container: Container, path: FieldPath, report: Report): void {
  const { readinessProbe, securityContext, imagePullPolicy } = container;
  for (const field of ['startupProbe', 'livenessProbe'] as const) {
    const probe = container[field];
    if (probe?.grpc !== undefined)
      report(
        [...path, field, 'grpc'],
        `Swarm checks health by a command in the container, and Windlass has none that speaks gRPC: ${OTHERS}`,
        SAY_ANOTHER,
      );
    if (probe?.httpGet?.scheme === 'HTTPS')
      report(
        [...path, field, 'httpGet', 'scheme'],
        `Swarm checks health by a command in the container, and Windlass has none that speaks TLS: ${OTHERS}`,
        SAY_ANOTHER,
      );
  }
  for (const action of ['exec', 'grpc'] as const)
    if (readinessProbe?.[action] !== undefined)
      report(
        [...path, 'readinessProbe', action],
        `tasks are asked over the network, from beside the proxy: ${OTHERS}`,
        'say httpGet or tcpSocket',
      );
  const seccomp = securityContext?.seccompProfile;
  if (seccomp !== undefined && seccomp.type !== 'RuntimeDefault')
    report([...path, 'securityContext', 'seccompProfile', 'type'], MUST_BE_DEFAULT);
  checkPodName(container, path, report);
  if (imagePullPolicy === 'Never')
    report(
      [...path, 'imagePullPolicy'],
      'every server of a swarm asks the registry',
      'leave it out',
    );
}

/** Of both probes Docker makes one check, and that a container has started is noted in memory that it has. */
function checkStartup(
  { startupProbe, livenessProbe, volumeMounts }: Container,
  volumes: readonly Volume[],
  path: FieldPath,
  report: Report,
): void {
  if (startupProbe === undefined) return;
  if (livenessProbe !== undefined) {
    const { periodSeconds, failureThreshold, initialDelaySeconds } = livenessProbe;
    if (startupProbe.periodSeconds !== periodSeconds)
      report(
        [...path, 'startupProbe', 'periodSeconds'],
        `must be that of the livenessProbe, ${periodSeconds}: Docker has one check, with one period: ${OTHERS}`,
      );
    if (startupProbe.failureThreshold < failureThreshold)
      report(
        [...path, 'startupProbe', 'failureThreshold'],
        `must not be less than that of the livenessProbe, ${failureThreshold}: Docker has one check, and counts as many failures of either: ${OTHERS}`,
      );
    if (initialDelaySeconds > startupProbe.initialDelaySeconds)
      report(
        [...path, 'livenessProbe', 'initialDelaySeconds'],
        `Docker has one check, which is the livenessProbe as soon as the startupProbe has succeeded: ${OTHERS}`,
        'leave it out',
      );
  }
  volumeMounts.forEach(({ name, mountPath, readOnly }, index) => {
    const volume = volumes.find((each) => each.name === name);
    const isMemory = volume?.emptyDir?.medium === 'Memory' && !readOnly;
    const place = mountPath.replace(/\/+$/, '');
    if (place === '/dev' || (place === SHARED_MEMORY && !isMemory))
      report(
        [...path, 'volumeMounts', index, 'mountPath'],
        `that the startupProbe has succeeded is noted in ${SHARED_MEMORY}, which must be memory: ${OTHERS}`,
      );
  });
}

/** Swarm fills the name of a task into its variables alone. */
function checkPodName({ env, command, args }: Container, path: FieldPath, report: Report): void {
  const named = env
    .filter(({ valueFrom }) => valueFrom?.fieldRef?.fieldPath === 'metadata.name')
    .map(({ name }) => `$(${name})`);
  for (const [field, texts = []] of [
    ['command', command],
    ['args', args],
  ] as const)
    texts.forEach((text, index) => {
      if (named.some((name) => text.includes(name)))
        report(
          [...path, field, index],
          `the name of a task is in its variables alone: ${OTHERS}`,
          'have a shell of the image read the variable',
        );
    });
}

function checkVolume(volume: Volume, path: FieldPath, report: Report): void {
  const { emptyDir } = volume;
  if (emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory')
    report(
      [...path, 'emptyDir', 'sizeLimit'],
      `Swarm measures no volume: ${OTHERS}`,
      'say medium: Memory, or leave it out',
    );
}
