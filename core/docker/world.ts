import type {
  AutoscalerMemory,
  AutoscalerState,
  MeasuredUsage,
} from '#core/docker/autoscaler-state.ts';
import type { CronState } from '#core/docker/cron-state.ts';
import type { HostPort } from '#core/docker/host-ports.ts';
import type { Sharing } from '#core/docker/host-sharing.ts';
import type { JobState } from '#core/docker/job-state.ts';
import type { PodTemplate } from '#core/docker/kinds.ts';
import type { SetState } from '#core/docker/set-state.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import type { HostPath } from '#core/docker/kinds-volumes.ts';
import type { Orphan, OwnerStatus } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';

/**
 * What the docker engine sees and what it can do, as plain data: `decide(desired, world, now)` is pure and answers
 * with steps; the engine carries one out and observes again.
 */
export interface World {
  records: LiveRecord[];
  pods: LivePod[];
  /** Volumes of claims, also of those that nobody has now. */
  claims: LiveClaim[];
  /** Content hashes of what the service proxy, the name server and the edge run with; absent = not running. */
  proxy?: string;
  dns?: string;
  edge?: string;
  /** The same of what carries UDP to Services and to the host's ports. */
  udpProxy?: string;
  udpEdge?: string;
  /** And of what answers for records that the name server does not serve. */
  nameRecords?: string;
  /** NodePorts that turned out to be another program's. */
  takenPorts?: readonly number[];
  /** Where the edge listens for what Ingresses are for. */
  ingressPorts: { http: number; https: number };
  /** Room for the headers of a request or an answer. */
  headerKb: number;
  acme?: AcmeWorld;
  /** What is known of certificates' files that the edge was to have. */
  certificates?: Readonly<Record<string, CertificateFacts>>;
  /** What containers use whose pods are scaled; absent where nothing was measured yet. */
  usage?: MeasuredUsage;
  /** How HorizontalPodAutoscalers last stood. */
  autoscalers?: Readonly<Record<ResourceKey, AutoscalerMemory>>;
  /** First address of the part of the network that Services use, and how many there are. */
  serviceRange: { first: string; size: number };
  /** Address of the cluster's name server. */
  nameServer: string;
}

/** Certificates of authorities that are asked by ACME. */
export interface AcmeWorld {
  /** Those that the Cluster declares. */
  issuers: readonly { name: string; server: string }[];
  /** Of the key of our accounts, by which hosts are known to be ours. */
  thumbprint: string;
  /** How orders stand, by their id; absent where it is not known. */
  certificates: Readonly<Record<string, AcmeCertificate>>;
}

export interface CertificateFacts {
  /** Why the edge cannot have it. */
  problem?: string;
  /** Milliseconds since the epoch. */
  until?: number;
}

export interface AcmeCertificate {
  /** The last that was had. */
  issued?: IssuedCertificate;
  /** It is being asked for. */
  ordering?: true;
  /** What became of the last order, where that failed. */
  failed?: { times: number; message: string; retryAt: number };
}

/** Times are milliseconds since the epoch. */
export interface IssuedCertificate {
  file: string;
  /** Certificate and key. Memory only. */
  pem: string;
  from: number;
  until: number;
  issuedAt: number;
}

/** A certificate that is to be had. */
export interface CertificateOrder {
  id: string;
  issuer: string;
  hosts: string[];
}

/** A resource as it was last recorded in the engine (a labelled, empty volume). It is the inventory. */
export interface LiveRecord {
  key: ResourceKey;
  owner: OwnerKey;
  /** As applied; in a Secret each value is replaced by a keyed hash of it, so equal values compare equal. */
  resource: Resource;
  /** Milliseconds since the epoch: when this version was recorded; a rollout's clock starts here. */
  recordedAt: number;
  /** Of a Service with an address. */
  clusterIp?: string;
  /** Of a Service that left nodePorts to be chosen: those it was given, by the name of the port. */
  nodePorts?: Record<string, number>;
  /** Of a paused Deployment: the template that it had when it was paused, which its pods keep. */
  pausedTemplate?: PodTemplate;
  /** Of a Job: how far its run came. */
  job?: JobState;
  /** Of a StatefulSet: what is under way. */
  set?: SetState;
  /** Of a CronJob: its Jobs. */
  cron?: CronState;
  /** Of a HorizontalPodAutoscaler: what it decided. */
  autoscaler?: AutoscalerState;
  /** No release wants it any more, and its deletion waits for a confirmation. */
  held?: boolean;
}

/** The Docker volume of a PersistentVolumeClaim. */
/** How the volume of a claim is made. */
export interface Provision {
  /** Docker's volume driver, and options for it. */
  driver: string;
  options: Readonly<Record<string, string>>;
  /** What its class says of claims that are deleted; absent for one without a class. */
  reclaim?: 'Retain' | 'Delete';
}

export interface LiveClaim {
  name: string;
  namespace: string;
  /** As its class said when it was made. */
  reclaim?: 'Retain' | 'Delete';
  /** Whose claim it was made for. */
  owner: OwnerKey;
  /** As Docker calls it. */
  volume: string;
}

export interface LivePod {
  name: string;
  namespace: string;
  /** The resource that keeps it, and that resource's owner. */
  keeper: ResourceKey;
  owner: OwnerKey;
  labels: Record<string, string>;
  /** Hash of the pod template it was made from. */
  templateHash: string;
  /** Seconds its containers have to end by themselves. */
  graceSeconds: number;
  createdAt: number;
  ip?: string;
  sandbox: LiveContainer;
  /** By name; a container that was never created is absent. */
  containers: Record<string, LiveContainer>;
  /** Hash of the files in each ConfigMap or Secret volume, by volume name; absent where it is empty (sandbox restarted). */
  volumeHashes: Record<string, string>;
  /** Of each container that has probes: what they found so far. */
  probes: Record<string, ContainerProbes>;
  /** Named container ports, for Services that target them by name; those of UDP as `name/UDP`. */
  ports: Record<string, number>;
  /** `<hostname>.<subdomain>`, where it has both. */
  published?: string;
  /** Ports of the host that it has, until it is gone. */
  hostPorts: HostPort[];
  /** Deletion has begun at this time (ms): it gets no traffic and is not counted. Its name is taken until it is gone. */
  deletingSince?: number;
  /** Why it has to go, whoever wants it. */
  evicted?: string;
  /** It was ready, and has not been since this time (ms). */
  unreadySince?: number;
  /** Why a missing container could not be made. Not tried again before `retryAt`, unless the pod's template changes. */
  problem?: PodProblem;
}

/** In the kubelet's words. The pod's sandbox exists; what could not be made is absent in `containers`. */
export interface PodProblem {
  container: string;
  /** `Pulling` is no failure: the image is on its way, and an event follows when it is here. */
  reason:
    | 'Pulling'
    | 'ErrImagePull'
    | 'ImagePullBackOff'
    | 'ErrImageNeverPull'
    | 'FailedMount'
    | 'CreateContainerConfigError'
    | 'CreateContainerError'
    | 'FailedCreatePodSandBox';
  /** What the registry or Docker answered, or what is wrong with the host's path. */
  message: string;
  /** Milliseconds since the epoch; `repairPod` before it does nothing. */
  retryAt: number;
}

export interface LiveContainer {
  id: string;
  /** Docker's words. */
  state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  oomKilled: boolean;
  restarts: number;
  /** It crashed before, and may not be started before that time (ms). */
  restartAt?: number;
  /** Why it was last ended, where that was not its own doing: "liveness probe failed: HTTP 500". */
  cause?: string;
  /** What somebody altered by hand, e.g. "memory limit 64Mi, was 128Mi"; empty when it is as created. */
  drift: string[];
  /** Of one with a postStart hook: how that stands since it last started. */
  postStart?: PostStart;
  /** Its network namespace is the running sandbox's; false after the sandbox was restarted under it. */
  joined: boolean;
  init?: InitRole;
  /** Whether it is started again when it ends; absent: always. */
  restart?: 'OnFailure' | 'Never';
  /** Of one that ended or restarted: its last lines, oldest first. */
  lastLog?: string[];
  /** And its termination message, where it left one. */
  lastWords?: string;
}

export interface PostStart {
  /** `runs`: it has not ended, or is still to begin. */
  state: 'runs' | 'failed' | 'done';
  answer: string;
  /** Since when (ms). */
  at: number;
}

/** Of each of its probes that decides whether it is ready: how that stands; not ok until probed. */
export interface ContainerProbes {
  startup?: ProbeState;
  readiness?: ProbeState;
  /** The startup or liveness probe that gave up on it: it is to be restarted. */
  failed?: FailedProbe;
}

export interface ProbeState {
  ok: boolean;
  /** When it last began to be so (ms). */
  since: number;
  /** What the last attempt answered: "HTTP 503: starting", "connection refused". */
  answer: string;
  /** Nothing was asked yet since the container last started. */
  unprobed?: true;
}

export interface FailedProbe {
  probe: 'startup' | 'liveness';
  answer: string;
  /** Seconds that the container has to end, where they are the probe's own. */
  graceSeconds?: number;
}

/** A pod to create: every reference resolved, every default filled in. */
export interface PodSpec {
  name: string;
  namespace: string;
  keeper: ResourceKey;
  owner: OwnerKey;
  labels: Record<string, string>;
  templateHash: string;
  /** Named container ports; those of UDP as `name/UDP`. */
  ports: Record<string, number>;
  /** Init containers first, in their order. */
  containers: ContainerSpec[];
  volumes: VolumeSpec[];
  /** The group that its volumes belong to. */
  fsGroup?: number;
  /** Whether claims that are the group's at their root are left as they are. */
  fsGroupOnMismatch?: true;
  /** Kernel settings of its own. */
  sysctls: Record<string, string>;
  names: PodNames;
  hostName: HostName;
  sharing: Sharing;
  hostPorts: HostPort[];
  graceSeconds: number;
  /** Whether its containers are started again; sidecars always are. */
  restartPolicy: 'Always' | 'OnFailure' | 'Never';
  /** How long it may take until it has ended. */
  activeSeconds?: number;
}

/** How a pod is called. */
export interface HostName {
  /** By itself. */
  own: string;
  /** With its domain, where it has one. */
  full?: string;
  /** `<hostname>.<subdomain>`: by others, where the subdomain is a headless Service of it. */
  published?: string;
}

/** What is in /etc/hosts and resolv.conf of its containers. */
export interface PodNames {
  hosts: { name: string; ip: string }[];
  /** Who is asked first: the cluster's own name server, those that the host asks, or none. */
  asks: 'cluster' | 'host' | 'none';
  nameservers: string[];
  searches: string[];
  options: string[];
}

/** Of an init container: its place among them; a sidecar runs for as long as the pod does. */
export interface InitRole {
  order: number;
  sidecar: boolean;
}

export interface ContainerSpec {
  name: string;
  init?: InitRole;
  image: string;
  pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Of its pod's imagePullSecrets: those to try, in order, before the host's own. Memory only. */
  logins: Login[];
  /** Kubernetes' `command` and `args`: Docker's entrypoint and command; absent = the image's. */
  command?: string[];
  args?: string[];
  workingDir?: string;
  /** Name to value, ConfigMap and Secret references resolved. Memory only: holds Secrets. */
  env: Record<string, string>;
  mounts: Mount[];
  security: ContainerSecurity;
  /** Nano-CPUs and bytes, from limits; cpu shares from the request. */
  nanoCpus?: number;
  cpuShares?: number;
  memoryBytes?: number;
  memoryReservationBytes?: number;
  probes: Probes;
  hooks: Hooks;
  /** By its name, instead of the image's. */
  stopSignal?: string;
  /** Whether its input stays open, ends with the first who was attached to it, and is a terminal; no where absent. */
  input?: { open: boolean; once: boolean; terminal: boolean };
  lastWords: LastWords;
}

/** Where a container may say why it ends, and whether its logs say it where it has failed and not done so. */
interface LastWords {
  path: string;
  orLogs: boolean;
}

export interface Mount {
  volume: string;
  path: string;
  readOnly: boolean;
  /** Of the volume, this file or folder only; a folder is made where there is nothing. */
  subPath?: string;
  /** Of a path of the host: which mounts below it that are made later are seen by the other side too. */
  propagation?: 'fromHost' | 'both';
}

export interface ContainerSecurity {
  /** `uid` or `uid:gid`; absent = the image's. */
  user?: string;
  groups: number[];
  addCapabilities: string[];
  dropCapabilities: string[];
  readOnlyRoot: boolean;
  noNewPrivileges: boolean;
  privileged: boolean;
  seccomp: SecurityProfile;
  /** Absent: whatever Docker does on that host. */
  appArmor?: SecurityProfile;
}

/** Docker's own, none, or one of the host by its name. */
export type SecurityProfile = 'default' | 'unconfined' | { localhost: string };

export type VolumeSpec =
  /** With the bytes that it may hold. */
  | { name: string; kind: 'emptyDir'; memory: boolean; sizeLimit?: number }
  | ({ name: string; kind: 'hostPath' } & HostPath)
  | { name: string; kind: 'claim'; claim: string; readOnly: boolean }
  /** A tmpfs that the sandbox holds; `files` maps a relative path to its content. Memory only: holds Secrets. */
  | { name: string; kind: 'files'; files: Record<string, VolumeFile>; hash: string };

export interface VolumeFile {
  /** Base64. */
  content: string;
  mode: number;
  /** Its group; absent = root. */
  group?: number;
}

export interface Probes {
  startup?: Probe;
  readiness?: Probe;
  liveness?: Probe;
}

export interface Probe {
  action: Action;
  initialDelaySeconds: number;
  periodSeconds: number;
  timeoutSeconds: number;
  successThreshold: number;
  failureThreshold: number;
  /** Instead of the pod's, where it ends the container. */
  graceSeconds?: number;
}

/** What is asked of a container. `host` is the pod's address where it is absent. */
export type Action =
  | {
      kind: 'http';
      scheme: 'http' | 'https';
      host?: string;
      port: number;
      path: string;
      headers: Record<string, string>;
    }
  | { kind: 'tcp'; host?: string; port: number }
  | { kind: 'grpc'; port: number; service: string }
  | { kind: 'exec'; command: string[] };

/** What is done once a container has started, and before it is stopped. */
export interface Hooks {
  postStart?: Hook;
  preStop?: Hook;
}

export type Hook = Extract<Action, { kind: 'http' | 'exec' }> | { kind: 'sleep'; seconds: number };

/** One thing to do. Each is idempotent: done twice it is done once. */
export type Step =
  | {
      kind: 'record';
      owner: OwnerKey;
      resource: Resource;
      clusterIp?: string;
      nodePorts?: Record<string, number>;
      pausedTemplate?: PodTemplate;
      job?: JobState;
      set?: SetState;
      cron?: CronState;
      autoscaler?: AutoscalerState;
      held?: true;
    }
  | { kind: 'forget'; key: ResourceKey }
  | {
      kind: 'createClaim';
      name: string;
      namespace: string;
      owner: OwnerKey;
      provision: Provision;
    }
  /** With all that is in it. */
  | { kind: 'deleteClaim'; name: string; namespace: string }
  /** `run`: the containers that are made now; the others wait for them. */
  | { kind: 'createPod'; pod: PodSpec; run: string[] }
  /** Puts right what a pod lacks or has wrong of these containers; `anew`: ends all that it has first. */
  | { kind: 'repairPod'; pod: PodSpec; run: string[]; why: string; anew?: true }
  | {
      kind: 'writeVolume';
      pod: string;
      namespace: string;
      volume: string;
      files: Record<string, VolumeFile>;
      hash: string;
    }
  | {
      kind: 'restartContainer';
      pod: string;
      namespace: string;
      container: string;
      id: string;
      graceSeconds: number;
      why: string;
    }
  /** The pod is at its end: what still runs of it ends too, and it stays. */
  | {
      kind: 'endPod';
      pod: string;
      namespace: string;
      containers: { id: string; init?: InitRole }[];
      graceSeconds: number;
      why: string;
    }
  | { kind: 'deletePod'; name: string; namespace: string; graceSeconds: number; why: string }
  | { kind: 'configureProxy'; config: ProxyConfig }
  | { kind: 'configureDns'; config: DnsConfig }
  | { kind: 'configureEdge'; config: EdgeConfig }
  /** `owners` have Services that need it. */
  | { kind: 'configureUdp'; role: UdpRole; config: UdpConfig; owners: OwnerKey[] }
  | { kind: 'configureRecords'; config: RecordsConfig; owners: OwnerKey[] }
  /** Begins to ask for a certificate; the edge answers for its hosts by then. */
  | { kind: 'orderCertificate'; order: CertificateOrder };

/** Rendered configuration and its hash; the engine ships it, checks it and reloads without losing a connection. */
export interface ProxyConfig {
  haproxy: string;
  /** Addresses to add to the proxy's interface. */
  addresses: string[];
  hash: string;
}

export type UdpRole = 'udp-proxy' | 'udp-edge';

export interface UdpConfig {
  /** Empty: none is needed. */
  nginx: string;
  /** Of the host. */
  ports: number[];
  /** Where datagrams go, `address:port`: where one is here no more, flows to it have to end. */
  endpoints: string[];
  hash: string;
}

export interface DnsConfig {
  /** Full name to addresses. */
  hosts: Record<string, string[]>;
  /** Domains that it leaves to the other name server. */
  domains: string[];
  hash: string;
}

export interface RecordsConfig {
  /** Empty: none is needed. */
  unbound: string;
  hash: string;
}

export interface EdgeCertificate {
  file: string;
  pem?: string;
  /** To be made where it is not there. */
  own?: OwnCertificate;
}

/** One that the internal CA signs; milliseconds since the epoch. */
export interface OwnCertificate {
  hosts: string[];
  from: number;
  until: number;
}

export interface EdgeConfig {
  haproxy: string;
  /** What has the host's ports and leads to it, where it is not on the host's network itself. */
  front?: string;
  /** Files that the configuration loads; a name is for one content. */
  scripts: { file: string; text: string }[];
  /** Files that the configuration names: certificate and key, which are known of who is asked about. Memory only. */
  certificates: EdgeCertificate[];
  /** Of userlists: the file with names and hashes of passwords, and what is in it where that is known. Memory only. */
  users: { list: string; file?: string; text?: string }[];
  /** Of the host; with none, no edge is needed. */
  ports: number[];
  hash: string;
}

/** What `decide` answers. */
export interface Decision {
  /** Do these now, in order; then observe and decide again. Empty: nothing to do before `wakeAt`. */
  steps: Step[];
  /** Each desired owner as it stands before these steps; its `plan` is what they and the ones after them carry out. */
  owners: OwnerStatus[];
  /** What others have, who are not asked about. */
  orphans: Orphan[];
  /** How HorizontalPodAutoscalers stand now, for the next decision. */
  autoscalers: Record<ResourceKey, AutoscalerMemory>;
  /** When time alone changes the answer (a deadline, a probe's patience), ms since the epoch. */
  wakeAt?: number;
}
