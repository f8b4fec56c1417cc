import type { Server } from '#core/declarations/cluster-server.ts';

const MANAGERS = [1, 3, 5, 7];
const SWARM_FIELDS = ['advertise', 'role', 'labels', 'state'] as const;
const RESERVED = /^windlass[./]/;
/** What Docker tells of a server, and its name. */
const KNOWN = /^kubernetes\.io\/(hostname|os|arch)$/;

const SWARM_ONLY = 'is for the swarm engine only';

interface Fleet {
  engine: 'docker' | 'swarm' | 'kubernetes';
  servers: readonly Server[];
  kubeconfig?: unknown;
  context?: unknown;
  health?: unknown;
  accounts?: unknown;
  network?:
    | { encrypted?: boolean | undefined; endpointMode?: 'dnsrr' | 'vip' | undefined }
    | undefined;
  ingress: {
    httpPort: number;
    httpsPort: number;
    issuers: readonly unknown[];
    headerKb: number;
    servers?: Readonly<Record<string, string>> | undefined;
  };
}

type Tell = (path: (string | number)[], message: string) => void;

/** What HAProxy has room for unless told otherwise. */
export const LEAST_HEADER_KB = 15;

/** What holds of the servers of a cluster together, and of what is for one engine only. */
export function checkFleet(fleet: Fleet, tell: Tell): void {
  const { engine, servers, network, ingress } = fleet;
  if (engine === 'kubernetes') {
    checkKubernetes(fleet, tell);
    return;
  }
  for (const field of ['kubeconfig', 'context', 'health', 'accounts'] as const)
    if (fleet[field] !== undefined) tell([field], 'is for the kubernetes engine only');
  if (engine === 'docker') {
    checkSingle(servers, tell);
    for (const field of ['encrypted', 'endpointMode'] as const)
      if (network?.[field] !== undefined) tell(['network', field], SWARM_ONLY);
    if (ingress.servers !== undefined) tell(['ingress', 'servers'], SWARM_ONLY);
    return;
  }
  checkSwarm(servers, tell);
  const edges = Object.entries(ingress.servers ?? {});
  const isNone = !servers.some(
    ({ labels = {}, state }) =>
      state !== 'absent' && edges.every(([name, value]) => labels[name] === value),
  );
  if (edges.length > 0 && isNone)
    tell(['ingress', 'servers'], 'there is no server with these labels');
}

function checkKubernetes(
  { servers, kubeconfig, context, network, ingress }: Fleet,
  tell: Tell,
): void {
  if (kubeconfig === undefined)
    tell(
      [],
      'the kubernetes engine needs kubeconfig: in-cluster, { file: /path } or { env: VARIABLE }',
    );
  if (kubeconfig === 'in-cluster' && context !== undefined)
    tell(['context'], 'is for a kubeconfig: in-cluster has one context');
  if (servers.length > 0)
    tell(['servers'], 'the kubernetes engine has none: its nodes are its own');
  if (network !== undefined) tell(['network'], 'the kubernetes engine has a network of its own');
  const { httpPort, httpsPort, issuers, headerKb, servers: edges } = ingress;
  const isUsual = httpPort === 80 && httpsPort === 443 && headerKb === LEAST_HEADER_KB;
  if (!isUsual || issuers.length > 0 || edges !== undefined)
    tell(
      ['ingress'],
      'the kubernetes engine serves no Ingresses: an ingress controller there does',
    );
}

function checkSingle(servers: readonly Server[], tell: Tell): void {
  if (servers.length !== 1) tell(['servers'], 'the docker engine has exactly one server');
  for (const [index, server] of servers.entries())
    for (const field of SWARM_FIELDS)
      if (server[field] !== undefined) tell(['servers', index, field], SWARM_ONLY);
}

function checkSwarm(servers: readonly Server[], tell: Tell): void {
  const managers = servers.filter(({ role, state }) => role === 'manager' && state !== 'absent');
  const count = managers.length;
  if (!MANAGERS.includes(count)) {
    const tie =
      count > 0 && count % 2 === 0
        ? ': an even number bears the loss of no more of them than one fewer does, and a cut in the middle leaves neither half a majority'
        : '';
    tell(['servers'], `must have 1, 3, 5 or 7 managers, has ${count}${tie}`);
  }
  for (const [index, server] of servers.entries()) {
    const { name, role, advertise, labels = {} } = server;
    const before = servers.slice(0, index);
    if (before.some((other) => other.name === name))
      tell(['servers', index, 'name'], `there is a server ${name} already`);
    for (const field of ['docker', 'advertise'] as const) {
      const same = before.find((other) => other[field] === server[field]);
      if (server[field] !== undefined && same !== undefined)
        tell(['servers', index, field], `is that of ${same.name} already`);
    }
    if (role === undefined) tell(['servers', index], 'must have role: manager or worker');
    if (advertise === undefined)
      tell(['servers', index], 'must have advertise: the address at which the others reach it');
    for (const label of Object.keys(labels))
      if (RESERVED.test(label) || KNOWN.test(label))
        tell(['servers', index, 'labels', label], 'is a label that Windlass sets itself');
  }
}
