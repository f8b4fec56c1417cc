import pMap from 'p-map';
import { deleteObject } from '#adapters/kubernetes/objects.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { findKind, parseRefId } from '#core/kubernetes/api-kind.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { afterCorrection, heldBackUntil } from '#core/kubernetes/fights.ts';
import { seenAsHook } from '#core/kubernetes/hook-status.ts';
import type { HookStatus } from '#core/kubernetes/hook-status.ts';
import { decideHooks } from '#core/kubernetes/hooks.ts';
import type { HookDecision, HookTarget, SyncState } from '#core/kubernetes/hooks.ts';
import { isWell, targetStatuses } from '#core/kubernetes/owner-status.ts';
import type { TargetStatus } from '#core/kubernetes/owner-status.ts';
import { nextDeletions, nextTargets } from '#core/kubernetes/plan-owner.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { Plan } from '#core/plan/change.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { displayKey } from '#core/present/display.ts';
import { applyTarget, deleteForReplacement } from './carry-out.ts';
import type { EngineState } from './engine-state.ts';
import type { ObservedOwner } from './observe.ts';

/** As many as the client keeps connections for. */
const AT_ONCE = 32;

interface Problem {
  message: string;
  /** It is not tried again before something changes. */
  isFinal: boolean;
}

/** What was done for an owner, and what could not be. */
export interface Acted {
  changed: boolean;
  /** What was done shows at once, so that more can be done now; what is being deleted tells when it is gone. */
  again: boolean;
  problem?: Problem;
  /** How far what is made for the release is; absent where that was not looked at. */
  hooks?: HookDecision;
  /** When a change may be made that is held back now, since somebody changes it back. */
  wakeAt?: number;
}

const NOTHING = { changed: false, again: false };

/** Carries out what can be done now of an owner's plan, in order; the inventory knows of it before. */
export async function act(
  engine: EngineState,
  observed: ObservedOwner,
  statuses: readonly TargetStatus[],
  kinds: readonly ApiKind[],
  signal: AbortSignal,
): Promise<Acted> {
  const { state, plan, unseen } = observed;
  if (unseen !== undefined) return { ...NOTHING, problem: problemOf(unseen) };
  if (plan.failure !== undefined) return NOTHING;
  const hooks = decideFor(engine, observed, syncOf(observed, statuses));
  if (state.suspended === true) return { ...NOTHING, hooks };
  try {
    await write(engine, observed, hooks, signal);
    const acted = await actAt(engine, observed, { hooks, statuses, kinds }, signal);
    const { problem } = acted;
    if (problem?.isFinal !== true || observed.hooks.length === 0) return { hooks, ...acted };
    // What is for a failure runs before it is told.
    const after = decideFor(engine, observed, {
      ...syncOf(observed, statuses),
      failure: problem.message,
    });
    await write(engine, observed, after, signal);
    await runHooks(engine, observed, after, kinds, signal);
    return { ...acted, hooks: after };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof UserError)) throw error;
    return { ...NOTHING, hooks, problem: problemOf(error) };
  }
}

interface Stage {
  hooks: HookDecision;
  statuses: readonly TargetStatus[];
  kinds: readonly ApiKind[];
}

async function actAt(
  engine: EngineState,
  observed: ObservedOwner,
  { hooks, statuses, kinds }: Stage,
  signal: AbortSignal,
): Promise<Acted> {
  const hooked = await runHooks(engine, observed, hooks, kinds, signal);
  switch (hooks.stage) {
    case 'failed':
    case 'before':
    case 'after':
      return hooked;
    case 'foundations': {
      const founding = { ...observed, targets: foundations(observed) };
      return applyNext(engine, founding, { statuses, upTo: -Infinity }, signal);
    }
    case 'sync': {
      const { upTo } = hooks;
      return both(hooked, await applyNext(engine, observed, { statuses, upTo }, signal));
    }
    // What replaces it serves by now.
    case 'done': {
      const isDeleted = await deleteNext(engine, observed, kinds, signal);
      return { ...hooked, changed: hooked.changed || isDeleted };
    }
  }
}

function both(one: Acted, other: Acted): Acted {
  return {
    ...other,
    changed: one.changed || other.changed,
    again: one.again || other.again,
  };
}

function foundations({ targets }: ObservedOwner): Target[] {
  return targets.filter(({ wave }) => wave === -Infinity);
}

/** How far everything is that is no hook. */
function syncOf({ plan }: ObservedOwner, statuses: readonly TargetStatus[]): SyncState {
  const changing = new Set([
    ...plan.changes.map(({ target }) => target.id),
    ...plan.remarked.map(({ id }) => id),
  ]);
  const failed = statuses.find(({ seen, isCurrent }) => isCurrent && seen.isFinal === true);
  // In the order of their waves.
  const applying = statuses.find(({ target }) => changing.has(target.id));
  const settling = statuses.find((each) => changing.has(each.target.id) || !isWell(each));
  return {
    applying: applying?.target.wave ?? Infinity,
    settling: settling?.target.wave ?? Infinity,
    failure:
      failed === undefined
        ? undefined
        : `${displayKey(failed.target.key)}: ${failed.seen.health.reason}`,
  };
}

function decideFor(
  engine: EngineState,
  { state, hooks, record, entries }: ObservedOwner,
  sync: SyncState,
): HookDecision {
  const pods = engine.pods.byKeeper();
  return decideHooks({
    hooks,
    release: state.release,
    record,
    entries,
    sync,
    live(id) {
      const kept = engine.objects.get(id);
      const isOwn = kept?.claim.by === 'owner' && kept.claim.owner === state.owner;
      return isOwn ? kept : undefined;
    },
    seen: (hook) => hookStatus(engine, hook, pods).seen ?? ABSENT,
  });
}

const ABSENT: Seen = { health: { status: 'Missing', reason: 'is not there' }, summary: '' };

/** How a hook is, where it is of this release. */
export function hookStatus(
  { objects }: EngineState,
  hook: HookTarget,
  pods: ReadonlyMap<ResourceKey, readonly KeptPod[]>,
): HookStatus {
  const kept = objects.get(hook.id);
  if (kept?.applied !== hook.hash) return { seen: undefined, pods: [] };
  const view = { targets: [hook], entries: {}, live: () => kept, pods };
  const [status] = targetStatuses(view);
  if (status === undefined) return { seen: undefined, pods: [] };
  return { seen: seenAsHook(status.seen), pods: status.pods };
}

function write(
  { inventories }: EngineState,
  { state, plan }: ObservedOwner,
  { entries, record }: HookDecision,
  signal: AbortSignal,
): Promise<void> {
  const { owner } = state;
  return inventories.write(
    {
      owner,
      entries: { ...plan.entries, ...entries },
      ...(record === undefined ? {} : { hooks: record }),
    },
    signal,
  );
}

async function runHooks(
  { contextOf, objects }: EngineState,
  { state }: ObservedOwner,
  { make, remove }: HookDecision,
  kinds: readonly ApiKind[],
  signal: AbortSignal,
): Promise<Acted> {
  const context = contextOf(state.owner);
  let changed = false;
  await pMap(
    remove,
    async ({ id, uid }) => {
      const ref = parseRefId(id);
      const kind = findKind(kinds, ref);
      if (kind === undefined) return;
      if (await deleteObject(context.client, kind, { ...ref, uid }, signal)) changed = true;
    },
    { concurrency: AT_ONCE, signal },
  );
  let made = false;
  for (const hook of make) {
    const how = { resource: hook.resource, force: hook.asked.force || hook.asked.adopt };
    const object = await applyTarget(context, hook, how, signal);
    if (object === undefined || hook.kind === undefined) continue;
    objects.put(object, hook.kind);
    made = true;
  }
  return { changed: changed || made, again: made };
}

async function applyNext(
  engine: EngineState,
  { state, plan, targets, prepared }: ObservedOwner,
  { statuses, upTo }: { statuses: readonly TargetStatus[]; upTo: number },
  signal: AbortSignal,
): Promise<Acted> {
  const changes = new Map(plan.changes.map((each) => [each.target.id, each]));
  const changing = new Set([...changes.keys(), ...plan.remarked.map(({ id }) => id)]);
  const well = new Set(statuses.filter(isWell).map(({ target }) => target.id));
  const next = nextTargets(targets, changing, ({ id }) => well.has(id)).filter(
    ({ wave }) => wave <= upTo,
  );
  const now = Date.now();
  const waits = next.flatMap(({ id }) => {
    const each = changes.get(id);
    const until =
      each?.isDrift === true ? heldBackUntil(engine.fights.get(id), each.change, now) : undefined;
    return until === undefined ? [] : [[id, until] as const];
  });
  const heldBack = new Map(waits);
  const done: string[] = [];
  const failed: Problem[] = [];
  let again = false;

  /** False where there is nothing to be done yet. */
  async function apply(target: Target): Promise<boolean> {
    const change = changes.get(target.id);
    const { objects, fights } = engine;
    const context = engine.contextOf(state.owner);
    if (change?.change.action === 'replace' && change.uid !== undefined) {
      await deleteForReplacement(context, target, change.uid, signal);
      return true;
    }
    const how = prepared.get(target.id);
    if (change?.waits === true || how === undefined || target.kind === undefined) return false;
    const object = await applyTarget(context, target, how, signal);
    if (object === undefined) return false;
    objects.put(object, target.kind);
    objects.settle(target.id, object.metadata.resourceVersion, target.hash);
    again = true;
    if (change?.isDrift === true)
      fights.set(target.id, afterCorrection(fights.get(target.id), change.change, now));
    return true;
  }

  for (const group of byRank(next.filter(({ id }) => !heldBack.has(id)))) {
    if (failed.length > 0) break;
    await pMap(
      group,
      async (target) => {
        try {
          if (await apply(target)) done.push(target.id);
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof UserError)) throw error;
          failed.push(problemOf(error));
        }
      },
      { concurrency: AT_ONCE, signal },
    );
  }
  const wakeAt = heldBack.size === 0 ? {} : { wakeAt: Math.min(...heldBack.values()) };
  const [first] = failed;
  if (first === undefined) return { changed: done.length > 0, again, ...wakeAt };
  return {
    changed: done.length > 0,
    again: false,
    ...wakeAt,
    problem: {
      message: `${first.message}${partly(plan.changes, new Set(done))}`,
      isFinal: failed.some(({ isFinal }) => isFinal),
    },
  };
}

function problemOf(error: UserError): Problem {
  return { message: messageOf(error), isFinal: !error.transient };
}

/** Exactly what was applied of the changes, and what was not. */
function partly(changes: readonly { target: Target }[], done: ReadonlySet<string>): string {
  function named(isDone: boolean): string {
    const keys = changes.filter(({ target }) => done.has(target.id) === isDone);
    return keys.length === 0
      ? 'nothing'
      : keys.map(({ target }) => displayKey(target.key)).join(', ');
  }
  return ` (applied: ${named(true)}; not applied: ${named(false)})`;
}

function byRank(targets: readonly Target[]): Target[][] {
  const groups = Map.groupBy(targets, ({ rank }) => rank);
  return [...groups.values()];
}

async function deleteNext(
  { contextOf }: EngineState,
  { plan, state }: ObservedOwner,
  kinds: readonly ApiKind[],
  signal: AbortSignal,
): Promise<boolean> {
  const { client } = contextOf(state.owner);
  const deleted = await pMap(
    nextDeletions(plan.deletions),
    ({ id, uid }) => {
      const ref = parseRefId(id);
      const kind = findKind(kinds, ref);
      return kind === undefined ? false : deleteObject(client, kind, { ...ref, uid }, signal);
    },
    { concurrency: AT_ONCE, signal },
  );
  return deleted.some(Boolean);
}

/** What of the plan somebody else keeps changing back, with when it is tried again. */
export function withFights({ fights }: EngineState, { plan }: ObservedOwner, now: number): Plan {
  return plan.changes.map(({ change, target }) => {
    const fight = fights.get(target.id);
    const until = heldBackUntil(fight, change, now);
    if (until === undefined || fight === undefined) return change;
    const seconds = Math.ceil((until - now) / 1_000);
    const who = change.reason ?? 'changed by somebody';
    return {
      ...change,
      reason: `${who}: put right ${fight.corrections} times, again in ${seconds} s`,
    };
  });
}
