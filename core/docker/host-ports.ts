import type { Protocol } from '#core/docker/kind-words.ts';
import type { Container, PodTemplate } from '#core/docker/kinds.ts';
import type { LivePod } from '#core/docker/world.ts';
import type { FieldPath } from '#core/field-path.ts';

/** A port of the host that a pod has for itself. */
export interface HostPort {
  protocol: Protocol;
  /** Of the host; all of them where it is empty. */
  ip: string;
  port: number;
  containerPort: number;
}

interface Place {
  namespace: string;
  name: string;
}

type Report = (path: FieldPath, message: string, hint?: string) => void;
type PodSpec = Pick<PodTemplate['spec'], 'hostNetwork' | 'containers' | 'initContainers'>;

/** On the host's network that is every port that a container names. Init containers that end have none. */
export function hostPortsOf(spec: PodSpec): HostPort[] {
  return running(spec).flatMap(({ container }) => portsOf(container, spec));
}

/** Who has which of the host's ports. */
export interface HostPortClaims {
  /** Gives the pod all of the ports, or answers why it cannot have them, in the scheduler's words. */
  claim(pod: Place, ports: readonly HostPort[]): string | undefined;
}

/** Pods have their ports until they are gone. */
export function createClaims(
  pods: readonly Pick<LivePod, 'namespace' | 'name' | 'hostPorts'>[],
): HostPortClaims {
  const claimed = pods.flatMap((pod) => pod.hostPorts.map((port) => ({ pod, port })));
  return {
    claim(pod, ports) {
      for (const port of ports) {
        const rival = claimed.find((each) => collide(each.port, port));
        if (rival !== undefined)
          return `pod ${pod.name} is Pending: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports (${port.port}/${port.protocol} is that of pod ${rival.pod.namespace}/${rival.pod.name})`;
      }
      claimed.push(...ports.map((port) => ({ pod: { ...pod, hostPorts: [] }, port })));
      return undefined;
    },
  };
}

/** As the API server refuses them. */
export function checkHostPorts(spec: PodSpec, path: FieldPath, report: Report): void {
  const before: HostPort[] = [];
  for (const { container, at } of running(spec)) {
    container.ports.forEach(({ containerPort, hostPort = containerPort }, index) => {
      if (spec.hostNetwork === true && hostPort !== containerPort)
        report(
          [...path, ...at, 'ports', index, 'hostPort'],
          `must be ${containerPort}, the containerPort, where hostNetwork is true`,
        );
    });
    for (const port of portsOf(container, spec)) {
      if (before.some((each) => isSame(each, port)))
        report(
          [...path, ...at, 'ports'],
          `port ${port.port}/${port.protocol} of the host is there twice`,
        );
      before.push(port);
    }
  }
}

function running({ containers, initContainers = [] }: PodSpec): {
  container: Container;
  at: FieldPath;
}[] {
  return [
    ...containers.map((container, index) => ({ container, at: ['containers', index] })),
    ...initContainers.flatMap((container, index) =>
      container.restartPolicy === 'Always' ? [{ container, at: ['initContainers', index] }] : [],
    ),
  ];
}

function portsOf({ ports }: Container, { hostNetwork }: PodSpec): HostPort[] {
  return ports.flatMap(({ protocol, containerPort, hostPort, hostIP: ip = '' }) => {
    const port = hostNetwork === true ? containerPort : hostPort;
    return port === undefined ? [] : [{ protocol, ip, port, containerPort }];
  });
}

function collide(one: HostPort, other: HostPort): boolean {
  const isOneAddress = isAny(one) || isAny(other) || one.ip === other.ip;
  return one.port === other.port && one.protocol === other.protocol && isOneAddress;
}

function isSame(one: HostPort, other: HostPort): boolean {
  return one.port === other.port && one.protocol === other.protocol && one.ip === other.ip;
}

function isAny({ ip }: HostPort): boolean {
  return ip === '' || ip === '0.0.0.0';
}
