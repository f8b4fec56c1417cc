import { hasAddress, isHeadless } from '#core/docker/kinds-service.ts';
import type { Service } from '#core/docker/kinds-service.ts';
import { opensHostPorts } from '#core/docker/node-ports.ts';
import type { FieldPath } from '#core/field-path.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** What of a Service the schema cannot tell; `hostPorts` are those that others have asked for, and whose they are. */
export function checkService(
  service: Service,
  hostPorts: Map<string, string>,
  report: Report,
): void {
  const { type, ports } = service.spec;
  const seen = new Set<string>();
  checkExternalName(service, report);
  checkBelongings(service, report);
  if (ports.length === 0 && hasAddress(service)) report(['spec', 'ports'], 'must not be empty');
  if (isHeadless(service) && type !== 'ClusterIP')
    report(['spec', 'clusterIP'], `a Service of type ${type} is not headless`);
  ports.forEach((port, index) => {
    const path: FieldPath = ['spec', 'ports', index];
    const one = `${port.port}/${port.protocol}`;
    if (seen.has(one)) report([...path, 'port'], `port ${one} is there twice`);
    seen.add(one);
    if (ports.length > 1 && port.name === undefined)
      report(path, 'a Service with several ports names each', 'add name');
    if (!opensHostPorts(service)) {
      if (port.nodePort !== undefined) report([...path, 'nodePort'], 'belongs to type: NodePort');
      return;
    }
    for (const field of ['nodePort', 'port'] as const) {
      const number = port[field];
      if (number === undefined || (field === 'port' && type !== 'LoadBalancer')) continue;
      const key = `${number}/${port.protocol}`;
      const other = hostPorts.get(key);
      if (other !== undefined)
        report([...path, field], `${field} ${number} is that of Service ${other} already`);
      hostPorts.set(key, service.metadata.name);
    }
  });
}

/** As Kubernetes refuses it; its ports and its selector mean nothing there either. */
function checkExternalName({ spec }: Service, report: Report): void {
  const isExternal = spec.type === 'ExternalName';
  if (isExternal && spec.externalName === undefined)
    report(['spec', 'externalName'], 'is what the name leads to', 'such as db.example.com');
  if (!isExternal && spec.externalName !== undefined)
    report(['spec', 'externalName'], 'belongs to type: ExternalName');
  if (!isExternal && spec.selector === undefined)
    report(
      ['spec', 'selector'],
      'says which pods it leads to: addresses of an EndpointSlice are not taken',
      'what is elsewhere has a name: type: ExternalName',
    );
}

/** What Kubernetes takes only beside something else. */
function checkBelongings({ spec }: Service, report: Report): void {
  const isBalancer = spec.type === 'LoadBalancer';
  for (const field of ['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts'] as const)
    if (!isBalancer && spec[field] !== undefined)
      report(['spec', field], 'belongs to type: LoadBalancer');
  if (!isBalancer && spec.type !== 'NodePort' && spec.externalTrafficPolicy !== undefined)
    report(['spec', 'externalTrafficPolicy'], 'belongs to types NodePort and LoadBalancer');
  if (spec.sessionAffinity === 'None' && spec.sessionAffinityConfig !== undefined)
    report(['spec', 'sessionAffinityConfig'], 'belongs to sessionAffinity: ClientIP');
  if (spec.clusterIPs !== undefined && spec.clusterIP === undefined)
    report(['spec', 'clusterIPs'], 'is the same as clusterIP, which is not said', 'add clusterIP');
}
