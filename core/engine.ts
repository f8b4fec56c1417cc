import type { RunningContainer, RunningQuery } from '#core/adopt/running-container.ts';
import type { Server } from '#core/declarations/cluster-server.ts';
import type { Health } from '#core/health.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import type { Recovery } from '#core/swarm/servers/recovery.ts';
import type { FleetPass, FleetStatus } from '#core/swarm/servers/report.ts';
import type { Fleet } from '#core/swarm/simulate/fleet.ts';
import type { Start, TerminalSize } from '#core/tunnel/frame.ts';

/** What one owner wants to run: the resources of its release, Secret values in clear (memory only). */
export interface DesiredState {
  owner: OwnerKey;
  /** Commit on the release branch. */
  release: string;
  resources: readonly Resource[];
  /** It is looked at and told of; nothing is done for it. */
  suspended?: boolean;
  /** Workloads whose replicas somebody has set by hand: nothing else sets them meanwhile. */
  scaledByHand?: readonly ResourceKey[];
  /** Workloads to be spread over the servers anew; the id tells one wish from the next. */
  rebalance?: readonly Rebalance[];
  /** Holds deletions back that are too many; absent where somebody has confirmed them. */
  guard?: PruneGuard;
}

/** So many replicas more until they are ready, and then as many less. */
export interface Rebalance {
  id: string;
  resource: ResourceKey;
  surplus: number;
  /** What has not begun by then (ms since the epoch) is given up. */
  until: number;
}

/** How one container of a pod is, for status displays and failure reasons. */
export interface ContainerStatus {
  name: string;
  image: string;
  state: 'waiting' | 'running' | 'terminated';
  ready: boolean;
  restarts: number;
  /** Kubernetes' words: ImagePullBackOff, CrashLoopBackOff, OOMKilled, Error, Completed, ContainerCreating. */
  reason?: string;
  message?: string;
  exitCode?: number;
  /** How it ended the time before, of one that was restarted. */
  last?: { reason: string; exitCode: number; message?: string };
}

export interface PodStatus {
  name: string;
  namespace: string;
  /** The workload that keeps it, e.g. `Deployment/default/web`. */
  owner: ResourceKey;
  ip?: string;
  /** Of one that is at its end, and why. */
  phase?: 'Succeeded' | 'Failed';
  reason?: string;
  ready: boolean;
  /** Milliseconds since the epoch. */
  createdAt: number;
  containers: ContainerStatus[];
}

export interface ResourceStatus {
  key: ResourceKey;
  health: Health;
  /** For a person: "2 of 3 ready", "10.88.128.4:80". */
  summary: string;
  /** Of what keeps pods. */
  replicas?: { desired: number; ready: number };
  pods?: PodStatus[];
  /** Why it is spread over the servers anew no more, though somebody wanted that. */
  notSpread?: string;
}

/** How an owner's desired state stands after a pass. */
export interface OwnerStatus {
  owner: OwnerKey;
  release: string;
  /** What still differs; empty when converged. */
  plan: Plan;
  /** Deletions that wait for a confirmation. */
  held: Plan;
  resources: ResourceStatus[];
  /** Converged, every resource Healthy, and traffic goes to the new pods. Only this is success. */
  serving: boolean;
  /** What it waits for though none of its resources does: the image of a proxy that is on its way. */
  waitsFor?: string;
  /** Set when it will not get there by itself: deadline exceeded, crash loop, image missing. Says what and why. */
  failure?: string;
}

/** What an owner has on a cluster that nobody asked about. */
export interface Orphan {
  owner: OwnerKey;
  resources: ResourceKey[];
  pods: number;
}

export interface Reconciliation {
  owners: OwnerStatus[];
  orphans: Orphan[];
  /** Changes carried out in this pass, per owner, for the log. Empty when nothing had to be done. */
  done: { owner: OwnerKey; plan: Plan }[];
  /** Run the next pass after this many milliseconds at the latest, even if no event comes. */
  wakeAfterMs: number;
  /** Of a cluster of several servers. */
  fleet?: FleetPass;
  /** Why owners could not be looked at, where the servers could: there are none above then. */
  unavailable?: string;
  /** Somebody has to put that right first: no later pass will find it otherwise, and deploys have failed by it. */
  isHopeless?: true;
}

export interface LogTarget {
  namespace: string;
  /** Workload or pod name; all pods of the workload are followed. */
  workload: ResourceKey;
  container?: string;
}

export interface LogOptions {
  follow: boolean;
  /** Lines from the end; all that the engine kept when absent. */
  tail?: number;
}

export interface WorkloadLogLine {
  pod: string;
  container: string;
  stream: 'stdout' | 'stderr';
  line: string;
}

/** A container that this installation made, and what for. */
export interface FoundContainer {
  id: string;
  name: string;
  image: string;
  /** The engine's word: running, exited. */
  state: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** `container`, `sandbox`, or what it is for the cluster itself, e.g. `proxy`. */
  role: string;
  owner?: OwnerKey;
  resource?: ResourceKey;
  pod?: string;
  /** Identity of the pod template that it was made from. */
  template?: string;
  /** Where the engine keeps no such identity. */
  made?: PodMade;
}

/** What tells from which version of its workload a pod was made. */
export interface PodMade {
  /** By container. */
  images: Record<string, string>;
  /** Milliseconds since the epoch. */
  at: number;
}

/** Where a command or connection goes. */
export interface SessionTarget {
  namespace: string;
  /** Of a workload one running pod is chosen. */
  workload: ResourceKey;
  /** May be left out where the pod has one. */
  container?: string;
}

/** A container that runs. */
export interface Place {
  namespace: string;
  pod: string;
  container: string;
  owner: OwnerKey;
  resource: ResourceKey;
}

/** Something that runs on the cluster, with its input and output, until it has ended or the signal ends it. */
export interface Session {
  /** Resolves when there is room for more; what comes after the end is dropped. */
  write(data: Uint8Array): Promise<void>;
  /** No more input comes. */
  end(): void;
  /** Whoever it ran for is gone: its input ends, and on a terminal it is interrupted. */
  hangUp(): Promise<void>;
  /** Of its terminal, where it has one. */
  resize(size: TerminalSize): Promise<void>;
  /** Until it has ended. On a terminal all of it is stdout. */
  output: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>;
  /** Once the output has ended. */
  exitCode(): Promise<number>;
}

/**
 * The conversation with one cluster. One controller calls it, one call of `plan` or `reconcile` at a time.
 *
 * - `plan` and `status` write nothing.
 * - `reconcile` is one pass: observe, decide, carry out what can be done now, each step observed again; it never
 *   waits for health. Killed at any point and called again, it continues correctly: names are deterministic and
 *   the engine's own records say what was done. Owners absent from `desired` are left running and untouched;
 *   an owner with no resources has its resources deleted.
 * - A suspended owner's plan says what would be done; nothing of it is, and it is not in `done`.
 * - What another installation, or nobody, made is never touched.
 */
export interface Engine {
  /** With the deletions that would wait for a confirmation. */
  plan(desired: DesiredState, signal: AbortSignal): Promise<Plan>;
  reconcile(desired: readonly DesiredState[], signal: AbortSignal): Promise<Reconciliation>;
  /** Calls `onEvent` (debounced) when something this installation made has changed; ends when aborted; reconnects. */
  watch(onEvent: (what: string) => void, signal: AbortSignal): Promise<void>;
  logs(target: LogTarget, options: LogOptions, signal: AbortSignal): AsyncIterable<WorkloadLogLine>;
  /** By id, the beginning of one, name, or name of its pod; absent where it is not of this installation and cluster. */
  find(reference: string, signal: AbortSignal): Promise<FoundContainer | undefined>;
  /**
   * Containers that somebody else made, to be adopted. Nothing is written.
   *
   * @throws UserError `not-found` for what is not there, `conflict` for what Windlass made
   */
  running(wanted: RunningQuery, signal: AbortSignal): Promise<RunningContainer[]>;
  /** @throws UserError `not-found` where nothing of it runs, `invalid-input` where the container must be named */
  locate(target: SessionTarget, signal: AbortSignal): Promise<Place>;
  /** Runs a command there. */
  exec(place: Place, start: Start, signal: AbortSignal): Promise<Session>;
  /**
   * Connects to a port of the pod, also one that is open inside of it only; of a Service, to that. What comes from there
   * is stdout; why it cannot be reached is stderr, with an exit code that is not 0.
   */
  connect(target: SessionTarget, port: number, signal: AbortSignal): Promise<Session>;
  /**
   * What its scheduler goes by, of all that runs there. Nothing is written.
   *
   * @throws UserError `unsupported` where there is one server
   */
  fleet(signal: AbortSignal): Promise<Fleet>;
  /**
   * How the servers are, and what would be done with them if these were those of the file. Nothing is written.
   *
   * @throws UserError `unsupported` where there is one server
   */
  planServers(servers: readonly Server[], signal: AbortSignal): Promise<FleetStatus>;
  /**
   * For a fleet that has lost its quorum: goes on with the manager that is named, or only tells what that does.
   *
   * @throws UserError `unsupported` where there is one server, others where there is nothing to recover, or not from there
   */
  recover(from: string, how: 'plan' | 'do', signal: AbortSignal): Promise<Recovery>;
  close(): Promise<void>;
}
