import type { DockerContext } from './context.ts';

/** Labels on what the engine makes. They are believed only where the object's name and content agree with them. */
export const LABEL = {
  installation: 'windlass.dev/installation',
  cluster: 'windlass.dev/cluster',
  owner: 'windlass.dev/owner',
  resource: 'windlass.dev/resource',
  role: 'windlass.dev/role',
  namespace: 'windlass.dev/namespace',
  pod: 'windlass.dev/pod',
  container: 'windlass.dev/container',
  init: 'windlass.dev/init',
  volume: 'windlass.dev/volume',
  claim: 'windlass.dev/claim',
  reclaim: 'windlass.dev/reclaim-policy',
  templateHash: 'windlass.dev/template-hash',
  podLabels: 'windlass.dev/pod-labels',
  fileVolumes: 'windlass.dev/file-volumes',
  sizeLimits: 'windlass.dev/size-limits',
  graceSeconds: 'windlass.dev/grace-seconds',
  probes: 'windlass.dev/probes',
  hooks: 'windlass.dev/hooks',
  orLogs: 'windlass.dev/termination-message-or-logs',
  ports: 'windlass.dev/ports',
  published: 'windlass.dev/published',
  hostPorts: 'windlass.dev/host-ports',
  made: 'windlass.dev/made',
  recorded: 'windlass.dev/recorded',
  recordedAt: 'windlass.dev/recorded-at',
  clusterIp: 'windlass.dev/cluster-ip',
  nodePorts: 'windlass.dev/node-ports',
  previous: 'windlass.dev/previous',
  pausedTemplate: 'windlass.dev/paused-template',
  job: 'windlass.dev/job',
  set: 'windlass.dev/set',
  cron: 'windlass.dev/cron',
  autoscaler: 'windlass.dev/autoscaler',
  held: 'windlass.dev/held',
} as const;

/** What an object is for. */
export type Role =
  | 'sandbox'
  | 'container'
  | 'volume'
  | 'claim'
  | 'host-path'
  | 'record'
  | 'network'
  | 'system-files'
  | 'proxy-sandbox'
  | 'proxy'
  | 'name-server'
  | 'edge'
  | 'edge-front'
  | 'edge-sockets'
  | 'udp-proxy'
  | 'udp-edge'
  | 'name-records';

export function marks(context: DockerContext, role: Role): Record<string, string> {
  return {
    [LABEL.installation]: context.installation,
    [LABEL.cluster]: context.cluster,
    [LABEL.role]: role,
  };
}

/** Docker's list filter for everything of this cluster, narrowed by further labels. */
export function filterOurs(
  context: Pick<DockerContext, 'installation' | 'cluster'>,
  more: Record<string, string> = {},
): string {
  const labels = {
    [LABEL.installation]: context.installation,
    [LABEL.cluster]: context.cluster,
    ...more,
  };
  return JSON.stringify({
    label: Object.entries(labels).map(([name, value]) => `${name}=${value}`),
  });
}

/** Whether `labels` has all of `expected`. */
export function agrees(
  labels: Record<string, string> | null | undefined,
  expected: Record<string, string>,
): boolean {
  return Object.entries(expected).every(([name, value]) => labels?.[name] === value);
}
