import type { Logger } from 'pino';
import type { AllByHand, Note } from '#core/by-hand/by-hand.ts';
import type { DesiredState, Engine, OwnerStatus, Reconciliation } from '#core/engine.ts';
import type { ClusterEvent } from '#core/events/event.ts';
import { serverKey } from '#core/events/fleet-events.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';
import type { ClusterStatus } from '#core/ports.ts';
import type { Recovery } from '#core/swarm/servers/recovery.ts';
import type { FleetPass } from '#core/swarm/servers/report.ts';
import type { Window } from '#core/windows/window.ts';
import type { EventRecorder } from './record-events.ts';
import { createWanted } from './wanted.ts';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export interface ControllerDependencies {
  cluster: string;
  engine: Engine;
  guard: PruneGuard;
  /** How often drift is looked for when no event comes. */
  intervalMs: number;
  publish: (status: Omit<ClusterStatus, 'controller'>) => Promise<void>;
  events: EventRecorder;
  now: () => number;
  log: Logger;
}

/** How a deploy ended. */
export type Outcome =
  | { kind: 'serving'; held: Plan }
  | { kind: 'failed'; reason: string }
  | { kind: 'superseded'; by: string }
  /** Somebody did that by hand; once resumed it goes on. */
  | { kind: 'suspended'; by: Note };

interface Deployment {
  desired: DesiredState;
  runId: string;
  /** It has failed when it does not serve by then, whatever else happens. */
  deadlineMs: number;
  /** Once: what is done, and which deletions wait for a confirmation. */
  onPlan: (plan: Plan, held: Plan) => void;
  onWaiting: (reason: string) => void;
}

export interface Controller {
  /** Runs the loop until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** What an owner wants from now on, by the run's release, without waiting for it. */
  keep(desired: DesiredState, runId: string): void;
  /** What a declared owner wants of which no release is known here; of any other it changes nothing. */
  adopt(desired: DesiredState): void;
  /** Owners whose releases cannot be read, and why: told of until a release of theirs is known. */
  lack(reasons: ReadonlyMap<OwnerKey, string>): void;
  /** The owners that are declared now, with when they may be deployed; answers those of which no release is known here. */
  declare(
    owners: readonly OwnerKey[],
    windows?: ReadonlyMap<OwnerKey, readonly Window[]>,
  ): OwnerKey[];
  /** When an owner may be deployed, as it is declared now; nothing of one that is not. */
  windowsOf(owner: OwnerKey): readonly Window[] | undefined;
  /** What people did by hand, as it is from now on. */
  takeByHand(all: AllByHand): void;
  /** Wants it, and waits until it serves, has failed, or another deploy of the owner took over. Rejects when aborted. */
  deploy(deployment: Deployment, signal: AbortSignal): Promise<Outcome>;
  plan(desired: DesiredState, signal: AbortSignal): Promise<Plan>;
  /** Has a fleet without quorum go on with one manager, or tells what that does. */
  recover(from: string, how: 'plan' | 'do', who: string, signal: AbortSignal): Promise<Recovery>;
}

interface Waiting extends Deployment {
  endsAt: number;
  planned: boolean;
  settle: (outcome: Outcome) => void;
}

/**
 * The loop of one cluster. INVARIANTS:
 * - The engine is called by one pass or plan at a time (`exclusive`).
 * - A pass works on the desired states as they were when it began: a newer release takes over between passes, never
 *   inside a change.
 * - A deploy is settled only by what a pass saw that began with its desired state.
 */
export function createController(dependencies: ControllerDependencies): Controller {
  const { cluster, engine, intervalMs, publish, events, now, log } = dependencies;
  const wanted = createWanted(cluster, dependencies.guard, dependencies.now);
  const waiting = new Map<OwnerKey, Waiting>();
  const bell = createBell();
  let tail: Promise<unknown> = Promise.resolve();
  let published = '';

  function exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work, work);
    tail = turn.catch(() => {
      // Told to whoever awaits `turn`.
    });
    return turn;
  }

  async function run(signal: AbortSignal): Promise<void> {
    const watching = engine.watch(() => bell.ring(), signal);
    let failures = 0;
    while (!signal.aborted) {
      bell.quiet();
      try {
        const result = await pass(signal);
        failures = 0;
        const untilEnd = wanted.endsAt() - now();
        const pauseMs = Math.min(result.wakeAfterMs, intervalMs, untilDeadline(), untilEnd);
        await bell.wait(Math.max(0, pauseMs), signal);
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        await onPassFailed(error);
        await bell.wait(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)), signal);
      }
    }
    await watching;
  }

  async function pass(signal: AbortSignal): Promise<Reconciliation> {
    const states = wanted.all(new Set(waiting.keys()));
    const result = await exclusive(() => engine.reconcile(states, signal));
    if (result.unavailable !== undefined) {
      if (result.isHopeless === true) failDeploys(result.unavailable);
      await tellUnavailable(result.unavailable, result.fleet);
      return result;
    }
    const fleet = fleetOf(result);
    const done = result.done.map(({ owner, plan }) => ({
      owner,
      plan: wanted.explain(owner, plan),
    }));
    for (const { owner, plan } of done) log.info({ cluster, owner, plan }, 'changes carried out');
    const unread = wanted.unread();
    const owners = [
      ...result.owners.filter((status) => !isGone(status)).map((status) => wanted.report(status)),
      ...unread,
    ];
    const orphans = result.orphans.filter(
      (orphan) => !unread.some(({ owner }) => owner === orphan.owner),
    );
    events.passed({ owners, orphans, ...fleet }, done, result.fleet?.done);
    for (const status of result.owners) observeDeploy(status, result);
    expireDeploys();
    await tell({ cluster, at: now(), owners, orphans, ...fleet });
    return result;
  }

  function observeDeploy(status: OwnerStatus, result: Reconciliation): void {
    const deploy = waiting.get(status.owner);
    if (deploy === undefined || deploy.desired.release !== status.release) return;
    if (!deploy.planned) {
      deploy.planned = true;
      const done = result.done.find(({ owner }) => owner === status.owner);
      deploy.onPlan(done?.plan ?? [], status.held);
    }
    if (status.serving) settle(status.owner, { kind: 'serving', held: status.held });
    else if (status.failure !== undefined)
      settle(status.owner, { kind: 'failed', reason: status.failure });
    else deploy.onWaiting(waitingFor(status));
  }

  function expireDeploys(): void {
    for (const [owner, deploy] of waiting) {
      if (now() < deploy.endsAt) continue;
      settle(owner, {
        kind: 'failed',
        reason: `did not serve within ${Math.round(deploy.deadlineMs / 1_000)} s`,
      });
    }
  }

  function untilDeadline(): number {
    return Math.max(0, Math.min(...[...waiting.values()].map((deploy) => deploy.endsAt)) - now());
  }

  function settle(owner: OwnerKey, outcome: Outcome): void {
    const deploy = waiting.get(owner);
    if (deploy === undefined) return;
    waiting.delete(owner);
    events.tell(outcomeEvent(deploy.desired, deploy.runId, outcome));
    deploy.settle(outcome);
  }

  async function onPassFailed(error: unknown): Promise<void> {
    log.error({ cluster, err: error }, 'the cluster could not be reconciled');
    const isHopeless = error instanceof UserError && !error.transient;
    if (isHopeless) failDeploys(messageOf(error));
    await tellUnavailable(messageOf(error));
  }

  function failDeploys(reason: string): void {
    for (const owner of waiting.keys()) settle(owner, { kind: 'failed', reason });
  }

  /** Nothing can be said of owners: deploys wait. */
  async function tellUnavailable(error: string, fleet?: FleetPass): Promise<void> {
    for (const deploy of waiting.values()) deploy.onWaiting(error);
    expireDeploys();
    const seen = { owners: [], orphans: [], error, ...fleetOf({ fleet }) };
    events.passed(seen, [], fleet?.done);
    await tell({ cluster, at: now(), ...seen });
  }

  async function tell(status: Omit<ClusterStatus, 'controller'>): Promise<void> {
    const text = JSON.stringify({ ...status, at: 0 });
    if (text === published) return;
    published = text;
    // Not awaited: with Redis away the write waits, and healing goes on.
    publish(status).catch((error: unknown) =>
      log.warn({ cluster, err: error }, 'status not published'),
    );
  }

  function keep(state: DesiredState): void {
    wanted.keep(state);
    bell.ring();
  }

  function adopt(state: DesiredState): void {
    if (wanted.unknown().includes(state.owner)) keep(state);
  }

  function declare(
    owners: readonly OwnerKey[],
    windows: ReadonlyMap<OwnerKey, readonly Window[]> = new Map(),
  ): OwnerKey[] {
    wanted.declare(owners, new Set(waiting.keys()), windows);
    bell.ring();
    return wanted.unknown();
  }

  function settleSuspended(owner: OwnerKey): void {
    const by = wanted.suspension(owner);
    if (by !== undefined) settle(owner, { kind: 'suspended', by });
  }

  function takeByHand(all: AllByHand): void {
    wanted.takeByHand(all);
    for (const owner of waiting.keys()) settleSuspended(owner);
    bell.ring();
  }

  async function deploy(deployment: Deployment, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    const { owner } = deployment.desired;
    settle(owner, { kind: 'superseded', by: deployment.runId });
    return new Promise<Outcome>((resolve, reject) => {
      function abort(): void {
        if (waiting.get(owner) === entry) waiting.delete(owner);
        reject(signal.reason as Error);
      }
      const entry: Waiting = {
        ...deployment,
        endsAt: now() + deployment.deadlineMs,
        planned: false,
        settle: (outcome) => {
          signal.removeEventListener('abort', abort);
          resolve(outcome);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      waiting.set(owner, entry);
      keep(deployment.desired);
      settleSuspended(owner);
    });
  }

  async function recover(
    ...[from, how, who, signal]: Parameters<Controller['recover']>
  ): Promise<Recovery> {
    const recovery = await exclusive(() => engine.recover(from, how, signal));
    if (how === 'do') {
      const message = `quorum was lost: the swarm goes on with it as the only manager, by ${who}`;
      events.tell({ type: 'Warning', resource: serverKey(from), reason: 'Recovered', message });
      bell.ring();
    }
    return recovery;
  }

  return {
    run,
    keep(state, runId) {
      settle(state.owner, { kind: 'superseded', by: runId });
      keep(state);
    },
    adopt,
    lack(reasons) {
      wanted.lack(reasons);
      bell.ring();
    },
    declare,
    windowsOf: (owner) => wanted.windowsOf(owner),
    takeByHand,
    deploy,
    recover,
    plan: (state, signal) =>
      exclusive(async () =>
        wanted.explain(state.owner, await engine.plan(wanted.asTaken(state), signal)),
      ),
  };
}

function fleetOf({ fleet }: { fleet?: FleetPass | undefined }): Pick<ClusterStatus, 'fleet'> {
  return fleet === undefined ? {} : { fleet: fleet.status };
}

/** Of an owner that was deleted nothing is left to tell. */
function isGone({ release, plan, resources }: OwnerStatus): boolean {
  return release === '' && plan.length === 0 && resources.length === 0;
}

function outcomeEvent(
  { owner, release }: DesiredState,
  runId: string,
  outcome: Outcome,
): Omit<ClusterEvent, 'at'> {
  const what = `release ${release.slice(0, 12)} of run ${runId}`;
  switch (outcome.kind) {
    case 'serving':
      return { type: 'Normal', owner, reason: 'Deployed', message: `${what} serves` };
    case 'failed':
      return {
        type: 'Warning',
        owner,
        reason: 'DeployFailed',
        message: `${what}: ${outcome.reason}`,
      };
    case 'superseded':
      return {
        type: 'Normal',
        owner,
        reason: 'Superseded',
        message: `${what}, by run ${outcome.by}`,
      };
    case 'suspended':
      return {
        type: 'Warning',
        owner,
        reason: 'DeployFailed',
        message: `${what}: suspended meanwhile`,
      };
  }
}

/** What it waits for, in one line: the first resources that are not healthy, with their reasons. */
function waitingFor(status: OwnerStatus): string {
  const unhealthy = status.resources.filter((resource) => resource.health.status !== 'Healthy');
  const [first] = unhealthy;
  if (first === undefined) {
    const changes = status.plan.slice(0, 3).map((change) => `${change.action} ${change.key}`);
    return [...changes, ...(status.waitsFor === undefined ? [] : [status.waitsFor])].join(', ');
  }
  const more = unhealthy.length > 1 ? ` (and ${unhealthy.length - 1} more)` : '';
  return `${first.key}: ${first.health.reason || first.summary}${more}`;
}

interface Bell {
  ring(): void;
  quiet(): void;
  /** Resolves when rung (also if it was rung since `quiet`), when aborted, or after `ms`. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    quiet: () => {
      rung = false;
    },
    wait: async (ms, signal) => {
      if (rung || signal.aborted) return;
      await new Promise<void>((resolve) => {
        function done(): void {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          wake = undefined;
          resolve();
        }
        const timer = setTimeout(done, ms);
        signal.addEventListener('abort', done, { once: true });
        wake = done;
      });
    },
  };
}
