/** Labels on what the swarm engine makes. They are believed only where the object's name agrees with them. */
export const MARK = {
  installation: 'windlass.dev/installation',
  cluster: 'windlass.dev/cluster',
  owner: 'windlass.dev/owner',
  resource: 'windlass.dev/resource',
  role: 'windlass.dev/role',
  namespace: 'windlass.dev/namespace',
  container: 'windlass.dev/container',
  templateHash: 'windlass.dev/template-hash',
  podLabels: 'windlass.dev/pod-labels',
  ports: 'windlass.dev/ports',
  readiness: 'windlass.dev/readiness',
  template: 'windlass.dev/template',
  clusterIp: 'windlass.dev/cluster-ip',
  nodePorts: 'windlass.dev/node-ports',
  run: 'windlass.dev/run',
  spread: 'windlass.dev/spread',
  surplus: 'windlass.dev/surplus',
  logins: 'windlass.dev/logins',
  part: 'windlass.dev/part',
  pod: 'windlass.dev/pod',
  published: 'windlass.dev/published',
  step: 'windlass.dev/step',
  recorded: 'windlass.dev/recorded',
  recordedAt: 'windlass.dev/recorded-at',
  tried: 'windlass.dev/tried',
  done: 'windlass.dev/done',
  failed: 'windlass.dev/failed',
  held: 'windlass.dev/held',
  begunAnew: 'windlass.dev/begun-anew',
  cron: 'windlass.dev/cron',
  set: 'windlass.dev/set',
  claim: 'windlass.dev/claim',
  node: 'windlass.dev/node',
  server: 'windlass.dev/server',
  subnet: 'windlass.dev/subnet',
  kept: 'windlass.dev/kept',
} as const;

/** Whose everything is. */
export interface SwarmPlace {
  cluster: string;
  installation: string;
}

export function marksOf(
  { cluster, installation }: SwarmPlace,
  role: 'service' | 'file' | 'record' | 'claim' | 'network' | 'certificate' | 'probes' | 'kernel',
): Record<string, string> {
  return { [MARK.installation]: installation, [MARK.cluster]: cluster, [MARK.role]: role };
}
