import type { CronState } from '#core/docker/cron-state.ts';
import type { SetState } from '#core/docker/set-state.ts';
import type {
  AcmeWorld,
  CertificateFacts,
  CertificateOrder,
  DnsConfig,
  EdgeConfig,
  LiveRecord,
  ProxyConfig,
  RecordsConfig,
  UdpConfig,
  UdpRole,
} from '#core/docker/world.ts';
import type { HostPort } from '#core/docker/node-ports.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import type { Orphan, OwnerStatus } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import type { LeavingNode } from '#core/swarm/servers/seen.ts';
import type { ServiceSpec, SwarmFile } from '#core/swarm/service.ts';
import type { FleetNode } from '#core/swarm/simulate/fleet.ts';

/** What a swarm holds for this cluster, by the newest that a manager knows. Times are milliseconds since the epoch. */
export interface SwarmWorld {
  records: SwarmRecord[];
  services: LiveService[];
  tasks: LiveTask[];
  files: LiveFile[];
  /** Of the cluster's network; empty before it is there. */
  networkId: string;
  nameServers: string[];
  /** Of the network: what Services are given. */
  serviceRange: { first: string; size: number };
  nodes: readonly FleetNode[];
  /** Also those that nobody has now. */
  claims: SwarmClaim[];
  proxies: ServerProxies[];
  /** Where edges listen for what Ingresses are for. */
  ingressPorts: { http: number; https: number };
  /** Room for the headers of a request or an answer. */
  headerKb: number;
  acme?: AcmeWorld;
  /** What is known of certificates' files that edges were to have. */
  certificates?: Readonly<Record<string, CertificateFacts>>;
}

/** What the proxies and name servers of a server run with; absent where they do not run. */
export interface ServerProxies {
  node: string;
  /** Whether it is one of those that have nodePorts and Ingresses. */
  isEdge: boolean;
  proxy?: string;
  dns?: string;
  edge?: string;
  udpProxy?: string;
  udpEdge?: string;
  nameRecords?: string;
  /** Whether it has what asks its tasks how they are. */
  probes?: true;
  /** Its ports that are not served, since another program there has them. */
  taken?: readonly HostPort[];
  /** Steps by their names that were tried in vain there, and wait for their next time. */
  leftAside?: readonly string[];
}

/** What is done with the proxies of one server. */
export type ServerStep = Extract<SwarmStep, { node: string }>;

/** Where the volume of a claim is. */
export interface SwarmClaim {
  name: string;
  namespace: string;
  owner: OwnerKey;
  node: string;
  /** The name that the server had when the volume was made. */
  server: string;
  /** Its node is in the swarm no more, and a server of its name has the volume: it joined anew as this node. */
  foundOn?: string;
}

/** A resource as it was last recorded, in the labels of a config of Swarm. It is the inventory. */
export interface SwarmRecord extends LiveRecord {
  /** Hash of the service that was last updated to and has not served yet. */
  tried?: string;
  /** Of a Job: the run that has completed. */
  done?: string;
  /** Of a Job: the run that has failed, and why. */
  failed?: { run: string; why: string };
}

export interface LiveService {
  id: string;
  /** Swarm's own count of its changes: who writes says which one it saw, and is refused after another's. */
  version: number;
  key: ResourceKey;
  /** Which of the resource's services: of a StatefulSet the pod, of a CronJob the Job; empty of others. */
  part: string;
  owner: OwnerKey;
  /** As Swarm tells it, with more fields than ours; files by their names. */
  spec: unknown;
  /** Configs and secrets that it uses, or would use again if it were rolled back. */
  files: string[];
  /** Of a job. */
  run?: string;
  update?: { state: string; message: string };
  createdAt: number;
  updatedAt: number;
}

/** Swarm's words, from beginning to end. */
export type TaskState =
  | 'new'
  | 'pending'
  | 'assigned'
  | 'accepted'
  | 'preparing'
  | 'ready'
  | 'starting'
  | 'running'
  | 'complete'
  | 'shutdown'
  | 'failed'
  | 'rejected'
  | 'remove'
  | 'orphaned';

export interface LiveTask {
  id: string;
  service: string;
  /** As its container is called, which is the name of the pod. */
  name: string;
  /** Which of the replicas it is; of a global service the server. */
  slot: string;
  templateHash: string;
  state: TaskState;
  /** What Swarm wants of it. */
  desired: TaskState;
  createdAt: number;
  /** When it came to its state. */
  at: number;
  /** What Swarm says of it, and why it is not further. */
  message: string;
  error: string;
  exitCode?: number;
  /** Absent before it has one. */
  node?: string;
  /** The server that it was on, which is down: Swarm hears of it no more. */
  lostWith?: string;
  /** On the cluster's network. */
  ip?: string;
  /** What its readiness probe found; absent where it has none. */
  readiness?: { ok: boolean; answer: string };
  /** What that probe found last, of one that Swarm ended for it, or that waits for it; absent where it is not known. */
  probed?: { probe: 'startup' | 'liveness'; answer: string };
  pod: TaskPod;
}

/** What a task is as a pod. */
export interface TaskPod {
  namespace: string;
  container: string;
  keeper: ResourceKey;
  owner: OwnerKey;
  labels: Record<string, string>;
  /** Named ports; those of UDP as `name/UDP`. */
  ports: Record<string, number>;
  /** `<hostname>.<subdomain>`, of a StatefulSet's. */
  published?: string;
}

/** A config or secret of ours. */
export interface LiveFile {
  id: string;
  kind: SwarmFile['kind'];
  name: string;
  owner: OwnerKey;
}

/** One thing to do. Each is idempotent: done twice it is done once. */
export type SwarmStep =
  | ({ kind: 'record' } & NewRecord)
  | { kind: 'forget'; owner: OwnerKey; key: ResourceKey }
  | { kind: 'createFile'; file: SwarmFile; owner: OwnerKey }
  | { kind: 'createService'; owner: OwnerKey; spec: ServiceSpec; logins: Login[] }
  | {
      kind: 'updateService';
      owner: OwnerKey;
      id: string;
      version: number;
      spec: ServiceSpec;
      logins: Login[];
      why: string;
    }
  /** Scales it to nothing. */
  | { kind: 'endTasks'; owner: OwnerKey; id: string; version: number }
  | { kind: 'createClaim'; owner: OwnerKey; claim: Omit<SwarmClaim, 'foundOn'> }
  | { kind: 'removeService'; owner: OwnerKey; id: string; why: string }
  | { kind: 'removeFile'; file: LiveFile }
  | { kind: 'configureProxy'; node: string; config: ProxyConfig }
  | { kind: 'configureDns'; node: string; config: DnsConfig }
  | { kind: 'configureEdge'; node: string; config: EdgeConfig }
  /** `owners` have Services that need it. */
  | { kind: 'configureUdp'; node: string; role: UdpRole; config: UdpConfig; owners: OwnerKey[] }
  | { kind: 'configureRecords'; node: string; config: RecordsConfig; owners: OwnerKey[] }
  /** Brings to the server what asks its tasks how they are, which those of `owners` need. */
  | { kind: 'placeProbes'; node: string; owners: OwnerKey[] }
  /** Begins to ask for a certificate; every edge answers for its hosts by then. */
  | { kind: 'orderCertificate'; order: CertificateOrder };

export interface NewRecord {
  owner: OwnerKey;
  resource: Resource;
  recordedAt: number;
  tried?: string;
  done?: string;
  failed?: { run: string; why: string };
  cron?: CronState;
  set?: SetState;
  held?: true;
  clusterIp?: string;
  nodePorts?: Record<string, number>;
}

export interface SwarmDecision {
  /** Do these now, in order; then observe and decide again. Empty: nothing to do before `wakeAt`. */
  steps: SwarmStep[];
  /** Whose steps they are. */
  acting: ReadonlySet<OwnerKey>;
  owners: OwnerStatus[];
  orphans: Orphan[];
  /** What tasks of the wanted services pull, and with which logins, by their template's hash. Memory only. */
  pulls: ReadonlyMap<string, { image: string; logins: readonly Login[] }>;
  /** What leaves the servers that take no new tasks, by their nodes. */
  leaving: ReadonlyMap<string, LeavingNode>;
  /** Keys of what has its volumes on a server, and runs nowhere else, by nodes. */
  pinned: ReadonlyMap<string, readonly ResourceKey[]>;
  wakeAt?: number;
}
