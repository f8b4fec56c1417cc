import { z } from 'zod';
import { Accounts } from '#core/kubernetes/accounts.ts';
import { HealthRule } from '#core/kubernetes/health-rules.ts';
import { checkFleet, LEAST_HEADER_KB } from '#core/declarations/check-fleet.ts';
import { Server } from '#core/declarations/cluster-server.ts';
import { Name, SecretRef } from '#core/declarations/pipeline.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';

const Subnet = z
  .cidrv4('must be an IPv4 network, e.g. 10.88.0.0/16')
  .refine((subnet) => prefixOf(subnet) >= 16 && prefixOf(subnet) <= 24, {
    message: 'must be between /16 and /24',
    abort: true,
  })
  .refine(
    hasNoHostBits,
    'must be the address of the network itself: set what is behind the prefix to 0',
  );

const Percent = z.string().regex(/^(100|[1-9]?[0-9])%$/, 'must be a percentage, e.g. 30%');

const HostPort = z.int().min(1).max(65_535);

export const Issuer = z.strictObject({
  name: Name.describe('What Ingresses say in `cert-manager.io/cluster-issuer`'),
  server: z
    .url({ protocol: /^https$/, error: 'must be an https:// URL' })
    .describe(
      "URL of the ACME server's directory, e.g. https://acme-v02.api.letsencrypt.org/directory; to name it is to agree to its terms of service",
    ),
  email: z.email().optional().describe('Where the server writes to'),
  ca: z
    .string()
    .regex(/^\s*-----BEGIN CERTIFICATE-----/, 'must be a certificate in PEM')
    .optional()
    .describe(
      'PEM: the authority by which the ACME server itself is known, where no public one vouches for it',
    ),
});

const Kubeconfig = z.union(
  [z.literal('in-cluster'), SecretRef],
  'must be in-cluster, { file: /path } or { env: VARIABLE }',
);
export type Kubeconfig = z.infer<typeof Kubeconfig>;

const ClusterSpec = z.strictObject({
  engine: z
    .enum(['docker', 'swarm', 'kubernetes'])
    .describe(
      'What runs the containers: `docker` on one machine, Docker in Swarm mode on a fleet of them (`swarm`), or a Kubernetes cluster (`kubernetes`)',
    ),
  servers: z
    .array(Server)
    .default([])
    .describe(
      'The machines: exactly one for the docker engine; managers and workers of a swarm; none for kubernetes',
    ),
  kubeconfig: Kubeconfig.optional().describe(
    'Kubernetes: how its API server is reached, read where the deploy worker runs; `in-cluster` is the ServiceAccount of the pod that the worker runs in. An exec plugin in it is run as a program of the worker',
  ),
  context: z
    .string()
    .min(1)
    .optional()
    .describe('Kubernetes: which context of the kubeconfig; its current-context when left out'),
  accounts: Accounts.optional().describe(
    'Kubernetes: as which account what a pipeline has is looked at, applied and deleted, by the name of the pipeline; `*` for all others. Without one it is as Windlass itself',
  ),
  health: z
    .array(HealthRule)
    .optional()
    .describe('Kubernetes: how objects of kinds are, where what is known of them does not do'),
  network: z
    .strictObject({
      subnet: Subnet.optional().describe(
        'Pods and Services get their addresses from it; /16 to /24; a free private one is chosen when left out',
      ),
      encrypted: z
        .boolean()
        .optional()
        .describe(
          'Swarm: what goes from server to server is encrypted (IPsec, protocol 50 between them)',
        ),
      endpointMode: z
        .enum(['dnsrr', 'vip'])
        .optional()
        .describe(
          "Swarm: how services are found by Swarm's own names: `dnsrr`, the default, by the addresses of their tasks; `vip` by one that the kernel spreads (IPVS). Names and addresses of Services are the same with either",
        ),
    })
    .optional()
    .describe("The cluster's network"),
  ingress: z
    .strictObject({
      servers: z
        .record(z.string().min(1), z.string())
        .optional()
        .describe(
          'Swarm: labels of the servers that serve Ingresses and nodePorts; when left out the workers do, and all where there are none',
        ),
      httpPort: HostPort.default(80).describe('Port of the host for http://'),
      httpsPort: HostPort.default(443).describe('Port of the host for https://'),
      headerKb: z
        .int()
        .min(LEAST_HEADER_KB)
        .max(63)
        .default(LEAST_HEADER_KB)
        .describe(
          'Room in KB for all headers of a request, and of an answer, here and through ports of Services with `appProtocol: http`; 32 for as much as nginx takes. Each request costs more with more',
        ),
      issuers: z
        .array(Issuer)
        .refine(haveNames, 'must have names of their own')
        .default([])
        .describe('Who gives certificates for Ingresses that ask for them, by ACME'),
    })
    .default({ httpPort: 80, httpsPort: 443, headerKb: LEAST_HEADER_KB, issuers: [] })
    .describe('Where Ingresses are served; nothing listens there until there is one'),
  prune: z
    .strictObject({
      guard: Percent.default('30%').describe(
        'Deletions of more than this part of what a deploy entry has wait for `windlass confirm`; 100% lets all pass',
      ),
      atLeast: z.int().min(1).default(3).describe('Fewer deletions than these at once never wait'),
    })
    .default({ guard: '30%', atLeast: 3 })
    .describe('When deletions of what is not in git any more wait for a confirmation'),
  reconcile: z
    .strictObject({
      intervalSeconds: z
        .int()
        .min(5)
        .max(86_400)
        .default(60)
        .describe('How often drift is looked for beside events'),
    })
    .default({ intervalSeconds: 60 })
    .describe('How the cluster is kept as released'),
});

export const Cluster = z
  .strictObject({
    apiVersion: z.literal('windlass.dev/v1').describe('Version of this format'),
    kind: z.literal('Cluster').describe('What the document declares'),
    metadata: z
      .strictObject({ name: Name.describe('What pipelines say in `cluster:`') })
      .describe('How the document is called'),
    spec: ClusterSpec.superRefine((spec, context) =>
      checkFleet(spec, (path, message) =>
        context.addIssue({ code: 'custom', path, message, input: spec }),
      ),
    ).describe('What the cluster consists of'),
  })
  .describe('An engine, its servers and how it is kept as released');
export type Cluster = z.infer<typeof Cluster>;
export type Issuer = z.infer<typeof Issuer>;

/** The cluster's prune guard, as a planner wants it. */
export function pruneGuard({ spec }: Cluster): PruneGuard {
  return { share: Number.parseInt(spec.prune.guard, 10) / 100, atLeast: spec.prune.atLeast };
}

function haveNames(issuers: readonly { name: string }[]): boolean {
  return new Set(issuers.map(({ name }) => name)).size === issuers.length;
}

function prefixOf(subnet: string): number {
  return Number(subnet.split('/')[1]);
}

function hasNoHostBits(subnet: string): boolean {
  const address = (subnet.split('/')[0] ?? '')
    .split('.')
    .reduce((bits, octet) => bits * 256 + Number(octet), 0);
  return address % 2 ** (32 - prefixOf(subnet)) === 0;
}
