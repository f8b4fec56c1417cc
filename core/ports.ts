import type { AllByHand, Note } from '#core/by-hand/by-hand.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import type { Published } from '#core/declarations/declarations.ts';
import type { OwnerStatus, Reconciliation } from '#core/engine.ts';
import type { ClusterEvent } from '#core/events/event.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Heads, Release, RenderedEntry } from '#core/release/release.ts';
import type { RunEvent } from '#core/run/events.ts';
import type { Run, Trigger } from '#core/run/run.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';

/** A line of a run's log. `step` is the run step that wrote it. */
export interface LogLine {
  at: number;
  step: string;
  line: string;
}

/**
 * What followers of runs hear: the run after a change, or new log lines. Without `event`: the run as it is now, told
 * after each (re)connection, since what was published in between is lost.
 */
export type RunNews =
  | { kind: 'run'; run: Run; event?: RunEvent }
  | { kind: 'log'; runId: string; lines: LogLine[] };

/** Records of runs. Every write is on disk in Redis before a method resolves. */
export interface RunFilter {
  pipeline?: string;
  branch?: string;
  /** Recorded then or later (ms since the epoch). */
  since?: number;
  limit: number;
}

/** A push that a webhook told of. */
export interface Delivery {
  /** As its sender names it: what has the same name is the same delivery. */
  name: string;
  /** When it came, in ms since the epoch. */
  at: number;
  trigger: Trigger;
  pipelines: readonly string[];
}

/** Runs that are recorded together; with the delivery that they are all the runs of. */
export interface Recording {
  runs: readonly Run[];
  delivery?: Delivery;
}

/**
 * What became of a recording: `alone`, or other runs of the same branches go on `beside` it. Nothing was written where its
 * delivery is `gone`: its runs were recorded before.
 */
export type Recorded = 'alone' | 'beside' | 'gone';

export interface RunStore {
  /** Keeps deliveries until their runs are recorded. Answers for each whether it is new: names are remembered for 30 days. */
  keep(deliveries: readonly Delivery[]): Promise<readonly boolean[]>;
  /** Deliveries whose runs are not recorded yet, oldest first. */
  kept(limit: number): Promise<Delivery[]>;
  /**
   * Records new runs and, in the same transaction, adds their jobs, remembers each run's commit as the head it handles,
   * and lets go of the delivery they come from. Answers one word a recording.
   */
  record(recordings: readonly Recording[]): Promise<readonly Recorded[]>;
  get(id: string): Promise<Run | undefined>;
  /** Newest first. */
  list(filter: RunFilter): Promise<Run[]>;
  /** Every run that is queued or running; with `beside`, those of the same branches. */
  unfinished(beside?: readonly Run[]): Promise<Run[]>;
  /** Applies the event by compare-and-set; answers the run after it. An event that no longer applies changes nothing. */
  apply(id: string, event: RunEvent): Promise<Run>;
  /** The commits of the newest runs recorded for the branches, in their order. */
  handledHeads(
    branches: readonly Pick<Run, 'pipeline' | 'branch'>[],
  ): Promise<readonly (string | undefined)[]>;
  appendLog(runId: string, lines: readonly LogLine[]): Promise<void>;
  /** Hears of changes to one run, or all, from now on, until aborted. Reconnects by itself. */
  follow(
    runId: string | undefined,
    onNews: (news: RunNews) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Lines as they were appended together. `n` counts from 1 on within a run; where one is missing it was too much to hold. */
export interface LogBatch {
  n: number;
  lines: LogLine[];
}

/** What the one server asks for, so that runs and their logs are files that outlive Redis, and are forgotten in time. */
export interface RunKeeping {
  /** Batches after `n` that are still held, oldest first. */
  logAfter(runId: string, n: number, limit: number): Promise<LogBatch[]>;
  /** Runs of which something may not be in files yet: each one until `archived` was told of its end. */
  unarchived(): Promise<string[]>;
  /** The run has ended, and it is in files with its log up to batch `n`. Without effect where there are later batches. */
  archived(runId: string, n: number): Promise<void>;
  /** Those of the ids that are not known. */
  unknown(ids: readonly string[]): Promise<string[]>;
  /** Records runs that ended and were lost, newest first, each as the head it handled where none is remembered. */
  restore(runs: readonly Run[]): Promise<void>;
  /** A pipeline's runs, newest first; `at` is when they were recorded. */
  index(pipeline: string): Promise<{ id: string; at: number }[]>;
  /** Forgets runs of a pipeline and what is held of their logs. */
  forget(pipeline: string, ids: readonly string[]): Promise<void>;
}

/** Declarations and cluster status as shared between server and workers. */
export interface SharedState {
  putDeclarations(declarations: Published): Promise<void>;
  declarations(): Promise<Published>;
  /** Calls back at once and at each change, until aborted. */
  followDeclarations(
    onChange: (declarations: Published) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Tells deploy workers that something was done by hand: they ask the server what. */
  ringByHand(): Promise<void>;
  /** Calls back at each ring and after each outage, until aborted. */
  followByHand(onRing: () => void, signal: AbortSignal): Promise<void>;
  putClusterStatus(cluster: string, status: ClusterStatus): Promise<void>;
  clusterStatus(cluster: string): Promise<ClusterStatus | undefined>;
  putClusterPulse(cluster: string, pulse: ClusterPulse): Promise<void>;
  clusterPulse(cluster: string): Promise<ClusterPulse | undefined>;
}

/** What happened on clusters: the newest of each, oldest first. */
export interface EventStore {
  append(cluster: string, events: readonly ClusterEvent[]): Promise<void>;
  /** All that is kept; `last` is from where to follow. */
  read(cluster: string): Promise<{ events: ClusterEvent[]; last: string }>;
  /** Hears of all events after `from`, until aborted; none is missed in an outage. */
  follow(
    cluster: string,
    from: string,
    onEvents: (events: readonly ClusterEvent[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** How an owner stands, with what people have done to it. */
export interface OwnerReport extends OwnerStatus {
  suspended?: Note;
  /** Until when its windows keep deploys from beginning, or who opened them. */
  closed?: string;
  overrides: Override[];
}

export interface ClusterStatus {
  cluster: string;
  /** The deploy worker that controls it. */
  controller: string;
  /** Milliseconds since the epoch. */
  at: number;
  owners: OwnerReport[];
  /** The cluster itself is declared no longer. */
  retired?: true;
  /** What nobody declares any more and still is there. */
  orphans: Reconciliation['orphans'];
  /** Of a cluster of several servers, also where nothing else can be told. */
  fleet?: FleetStatus;
  /** Why the cluster cannot be reached; absent when it can. */
  error?: string;
}

/** A sign of life of who controls a cluster; its status is reported only where it changes. Times are ms since the epoch. */
export interface ClusterPulse {
  at: number;
  /** When it last looked at all and did what was to be done; absent while it has not. */
  reconciledAt?: number;
  /** Changes without a release, by owner, since it took the cluster. */
  corrections: Record<OwnerKey, number>;
}

/**
 * One holder at a time. `renew` answers false when somebody else holds it or it lapsed; it throws when Redis cannot be
 * reached, which is not a loss: nobody else can take it then either.
 */
export interface Lease {
  acquire(name: string, holder: string, ttlMs: number): Promise<boolean>;
  renew(name: string, holder: string, ttlMs: number): Promise<boolean>;
  release(name: string, holder: string): Promise<void>;
}

/**
 * Keeps collections of a registry apart from pushes to it: a push says of what is there already that it need not be
 * sent, and a collection takes away what nothing names yet.
 */
export interface RegistryGate {
  /** Pushes, once no collection goes on; `onWait` is called when it has to wait for one. */
  push<T>(work: () => Promise<T>, onWait: () => void, signal: AbortSignal): Promise<T>;
  /**
   * Collects while nobody pushes. False, and nothing was done, where another collection goes on, or pushes do not end
   * within `patienceMs`; new ones wait meanwhile. The signal given to `work` aborts when it is not alone any more.
   */
  collect(
    work: (signal: AbortSignal) => Promise<void>,
    patienceMs: number,
    signal: AbortSignal,
  ): Promise<boolean>;
}

/** What an installation is, the same for server and workers. */
export interface Identity {
  /** On everything that it makes. */
  installation: string;
  /** Of the hashes by which deploy workers tell whether a Secret has changed. */
  recordsKey: string;
}

/** What workers ask of the server over HTTP, with the worker token. Errors of the network are transient UserErrors. */
export interface ServerApi {
  identity(signal: AbortSignal): Promise<Identity>;
  /** Stores what the build rendered, sealed, under the run. Idempotent. */
  storeRendered(
    runId: string,
    entries: readonly RenderedEntry[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Commits the run's rendered manifests as the head of the entry's branch. Idempotent per run. */
  release(runId: string, entry: string, signal: AbortSignal): Promise<Release>;
  /** Puts the last healthy release of the entry back as a new commit; absent when there is none or it is the head. */
  restore(
    pipeline: string,
    entry: string,
    failed: string,
    reason: string,
    signal: AbortSignal,
  ): Promise<Release | undefined>;
  markHealthy(pipeline: string, entry: string, commit: string, signal: AbortSignal): Promise<void>;
  /** Heads of all deploy entries of a cluster. */
  heads(cluster: string, signal: AbortSignal): Promise<Heads>;
  /** References of the images that releases name which are kept deployable. */
  keptImages(signal: AbortSignal): Promise<string[]>;
  /** What people did by hand, by owner. */
  byHand(signal: AbortSignal): Promise<AllByHand>;
  /** The release's manifests by path, opened: Secret values in clear. For memory only. */
  manifests(pipeline: string, commit: string, signal: AbortSignal): Promise<Record<string, string>>;
  /** Opens sealed manifests (of a plan request). */
  open(manifests: Record<string, string>, signal: AbortSignal): Promise<Record<string, string>>;
  /** Brings what a job was asked for, past Redis, to whoever asked; `not-found` where nobody waits for it. */
  answer(id: string, body: object, signal: AbortSignal): Promise<void>;
}

/** A job that a run needs, by its deterministic id. */
export interface RunJob {
  queue: string;
  name: 'build' | 'deploy';
  id: string;
  payload: Record<string, string>;
}

/** The queues, as the server uses them. */
/** How many jobs a queue has in each state. */
interface QueueDepth {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
  /** Processes that take its jobs. */
  workers: number;
  /** Since when the oldest waits that could begin, in ms since the epoch; absent where none does. */
  oldest?: number;
}

export interface QueueDepths {
  depth(queue: string): Promise<QueueDepth>;
}

export interface JobQueue {
  /** Adding a job whose id is there already does nothing. */
  add(job: RunJob): Promise<void>;
  /** Takes a job out that no worker has begun. */
  remove(job: RunJob): Promise<void>;
  state(job: RunJob): Promise<'missing' | 'waiting' | 'active' | 'failed' | 'completed'>;
  /** Lets go of a job that is held longer than it can be, as by a clock that was set back. */
  free(job: RunJob): Promise<void>;
  /** Why a failed job failed. */
  failure(job: RunJob): Promise<string | undefined>;
  /** Adds a job and waits for its answer; UserError `unavailable` when no worker answers in time. */
  request(
    queue: string,
    name:
      | 'plan'
      | 'plan-servers'
      | 'recover'
      | 'logs'
      | 'find'
      | 'running'
      | 'simulate'
      | 'rebalance'
      | 'tunnel',
    payload: unknown,
    timeoutMs: number,
  ): Promise<unknown>;
  close(): Promise<void>;
}
