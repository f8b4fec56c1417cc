import { z } from 'zod';
import {
  Label,
  metadata,
  Port,
  PortName,
  Protocol,
  Strings,
  Subdomain,
} from '#core/docker/kind-words.ts';
import type { Resource } from '#core/resources/resource.ts';

/** Where nodePorts lie, as Kubernetes has it by default. */
export const NODE_PORTS = { first: 30_000, last: 32_767 };

/** What a port of the host that another program has means for the release: `fail`, unless it says `wait`. */
const PORT_IN_USE_ANNOTATION = 'windlass.dev/port-in-use';
const PORT_IN_USE = ['fail', 'wait'];

const ServicePort = z
  .strictObject({
    name: PortName.optional(),
    port: Port,
    targetPort: z.union([Port, PortName]).optional(),
    // With `http` requests are carried one by one; with anything else the connections, as they are.
    appProtocol: z
      .string()
      .regex(
        /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
        'must be a name such as http or kubernetes.io/h2c',
      )
      .optional(),
    nodePort: z.int().min(NODE_PORTS.first).max(NODE_PORTS.last).optional(),
    protocol: Protocol,
  })
  .transform((port) => ({ ...port, targetPort: port.targetPort ?? port.port }));

/** Empty is left out, in Kubernetes too. */
const NoAddress = z.literal(['None', ''], 'must be None, or left out: the cluster gives addresses');

const ONE_FAMILY = 'the network of the cluster is IPv4';
const Family = z.literal('IPv4', `must be IPv4: ${ONE_FAMILY}`);
const FamilyPolicy = z.enum(
  ['SingleStack', 'PreferDualStack'],
  `must be SingleStack or PreferDualStack: ${ONE_FAMILY}`,
);

/** A dot at its end is not part of it. */
const HostName = z
  .string()
  .transform((name) => name.replace(/\.$/, ''))
  .pipe(Subdomain);

export const Service = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: metadata(Label).refine(
    ({ annotations = {} }) => PORT_IN_USE.includes(annotations[PORT_IN_USE_ANNOTATION] ?? 'fail'),
    {
      path: ['annotations', PORT_IN_USE_ANNOTATION],
      message: `must be ${PORT_IN_USE.join(' or ')}`,
    },
  ),
  spec: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
    clusterIP: NoAddress.optional(),
    clusterIPs: z.array(NoAddress).length(1).optional(),
    ipFamilies: z.array(Family).length(1).optional(),
    ipFamilyPolicy: FamilyPolicy.optional(),
    externalName: HostName.optional(),
    selector: Strings.refine(
      (selector) => Object.keys(selector).length > 0,
      'must not be empty',
    ).optional(),
    ports: z.array(ServicePort).default([]),
    publishNotReadyAddresses: z.boolean().default(false),
    sessionAffinity: z.enum(['None', 'ClientIP']).default('None'),
    sessionAffinityConfig: z
      .strictObject({
        clientIP: z
          .strictObject({ timeoutSeconds: z.int().min(1).max(86_400).optional() })
          .optional(),
      })
      .optional(),
    allocateLoadBalancerNodePorts: z.boolean().optional(),
    loadBalancerSourceRanges: z.array(z.cidrv4('must be an IPv4 network')).optional(),
    externalTrafficPolicy: z
      .literal('Cluster', "must be Cluster: pods see the proxy's address, not that of the client")
      .optional(),
    internalTrafficPolicy: z.enum(['Cluster', 'Local']).default('Cluster'),
  }),
});
export type Service = z.infer<typeof Service>;
export type ServicePort = z.infer<typeof ServicePort>;

/** It has no address of its own: its name answers with those of the pods. */
export function isHeadless({ spec }: Service): boolean {
  return spec.clusterIP === 'None';
}

export function hasAddress(service: Service): boolean {
  return !isHeadless(service) && service.spec.type !== 'ExternalName';
}

/** Its release waits until whoever has its port of the host gives it up. */
export function waitsForPorts({
  metadata: { annotations = {} },
}: Pick<Resource, 'metadata'>): boolean {
  return annotations[PORT_IN_USE_ANNOTATION] === 'wait';
}
