import pMap from 'p-map';
import { getObject } from '#adapters/kubernetes/objects.ts';
import type { DesiredState } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { findKind, parseRefId } from '#core/kubernetes/api-kind.ts';
import type { ApiKind, ObjectRef } from '#core/kubernetes/api-kind.ts';
import type { HookRecord } from '#core/kubernetes/hook-record.ts';
import type { HookTarget } from '#core/kubernetes/hooks.ts';
import { refsOf } from '#core/kubernetes/inventory.ts';
import type { Entries } from '#core/kubernetes/inventory.ts';
import { keptObject } from '#core/kubernetes/kept-object.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import { planOwner } from '#core/kubernetes/plan-owner.ts';
import type { Look, OwnerPlan, OwnerView } from '#core/kubernetes/plan-owner.ts';
import { autoscaledIn, targetsOf } from '#core/kubernetes/target.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { EngineState } from './engine-state.ts';
import { kindsInUse } from './live-objects.ts';
import { lookAt } from './look.ts';
import type { Prepared, WantedNamespaces } from './look.ts';

/** As many as the client keeps connections for. */
const AT_ONCE = 32;
const OWNERS_AT_ONCE = 4;
const KEEPING_PODS = new Set([
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'Pod',
]);

/** An owner as a pass finds it. */
export interface ObservedOwner {
  state: DesiredState;
  targets: readonly Target[];
  hooks: readonly HookTarget[];
  /** How far the hooks came. */
  record: HookRecord | undefined;
  entries: Entries;
  plan: OwnerPlan;
  prepared: ReadonlyMap<string, Prepared>;
  /** Why it could not be looked at. */
  unseen?: UserError;
}

const NOTHING: OwnerPlan = { changes: [], remarked: [], deletions: [], held: [], entries: {} };

/** Looks at everything that is wanted and everything that is there, and plans. Nothing is written. */
export async function observe(
  engine: EngineState,
  desired: readonly DesiredState[],
  signal: AbortSignal,
): Promise<ObservedOwner[]> {
  const resources = desired.flatMap((state) => state.resources);
  const kinds = await engine.kinds(resources, signal);
  await engine.inventories.ready(signal);
  const autoscaled = new Set(desired.flatMap((state) => autoscaledIn(state.resources)));
  const wanted = desired.map((state) => ({
    state,
    ...readTargets(engine, state, kinds, autoscaled),
  }));
  await follow(engine, kinds, wanted, signal);
  const all = wanted.flatMap(({ targets, hooks }) => [...targets, ...hooks]);
  const scope = {
    kinds,
    wanting: wantersOf(all),
    asked: new Set(desired.map(({ owner }) => owner)),
    namespaces: {
      wanted: new Set(
        all.flatMap(({ ref }) => (ref.group === '' && ref.kind === 'Namespace' ? [ref.name] : [])),
      ),
      missing: new Set<string>(),
    },
  };
  return pMap(wanted, (each) => observeOwner(engine, each, scope, signal), {
    concurrency: OWNERS_AT_ONCE,
    signal,
  });
}

interface Wanted {
  state: DesiredState;
  targets: readonly Target[];
  hooks: readonly HookTarget[];
  /** Why what it wants cannot be read. */
  problem?: string;
}

interface Scope {
  kinds: readonly ApiKind[];
  wanting: ReadonlyMap<string, readonly OwnerKey[]>;
  asked: ReadonlySet<OwnerKey>;
  namespaces: WantedNamespaces;
}

/** Read anew only where something of it is another: a release is the same from pass to pass. */
function readTargets(
  { context: { installation, seal }, targets: known }: EngineState,
  state: DesiredState,
  kinds: readonly ApiKind[],
  autoscaled: ReadonlySet<string>,
): Omit<Wanted, 'state'> {
  const { owner, release, resources, scaledByHand = [] } = state;
  const from = JSON.stringify([owner, release, scaledByHand, [...autoscaled]]);
  const last = known.get(resources);
  if (last?.from === from && last.kinds === kinds) return last;
  try {
    const all = targetsOf(state, kinds, { installation, seal, autoscaled });
    const targets = all.filter(({ hook }) => hook === undefined);
    const hooks = all.filter((each): each is HookTarget => each.hook !== undefined);
    known.set(resources, { from, kinds, targets, hooks });
    return { targets, hooks };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const hint = error.hint === undefined ? '' : `: ${error.hint}`;
    return { targets: [], hooks: [], problem: `${error.message}${hint}` };
  }
}

async function follow(
  { inventories, objects, pods }: EngineState,
  kinds: readonly ApiKind[],
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<void> {
  objects.want(wanted.map((each) => each.targets));
  const targets = wanted.flatMap((each) => [...each.targets, ...each.hooks]);
  const ids = inventories.all().flatMap(({ entries }) => Object.keys(entries));
  const used = targets.map(({ kind }) => kind);
  await objects.follow(kindsInUse(kinds, used, ids), signal);
  const namespaces = new Set<string>();
  function add({ kind, namespace }: ObjectRef): void {
    if (KEEPING_PODS.has(kind)) namespaces.add(namespace);
  }
  for (const { ref } of targets) add(ref);
  for (const { entries } of inventories.all()) for (const ref of refsOf(entries)) add(ref);
  await pods.follow(namespaces, signal);
}

function wantersOf(targets: readonly Target[]): Map<string, OwnerKey[]> {
  const wanting = new Map<string, OwnerKey[]>();
  for (const { id, owner } of targets) wanting.set(id, [...(wanting.get(id) ?? []), owner]);
  return wanting;
}

async function observeOwner(
  engine: EngineState,
  { state, targets, hooks, problem }: Wanted,
  scope: Scope,
  signal: AbortSignal,
): Promise<ObservedOwner> {
  const entries = engine.inventories.entriesOf(state.owner);
  const record = engine.inventories.hooksOf(state.owner);
  const common = { state, targets, hooks, record, entries, prepared: new Map<string, Prepared>() };
  if (problem !== undefined) return { ...common, plan: { ...NOTHING, entries, failure: problem } };
  const unread = unreadOf(engine, [...targets, ...hooks], entries);
  if (unread !== undefined) return { ...common, plan: { ...NOTHING, entries }, unseen: unread };
  try {
    // What is made for a release is looked at before anything of it is done.
    const isBegun = record?.release === state.release;
    const looked = await lookAtAll(
      engine,
      state.owner,
      targets,
      isBegun ? [] : hooks,
      scope,
      signal,
    );
    const view: OwnerView = {
      state,
      targets,
      hooks,
      entries,
      looks: looked.looks,
      unwanted: await findUnwanted(
        engine,
        { targets: [...targets, ...hooks], entries },
        scope,
        signal,
      ),
      wanting: scope.wanting,
      asked: scope.asked,
      completed: completedJobs(engine, targets),
    };
    return { ...common, prepared: looked.prepared, plan: planOwner(view) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof UserError)) throw error;
    return { ...common, plan: { ...NOTHING, entries }, unseen: error };
  }
}

/** Why something of it cannot be read; an owner of what can be is none the worse. */
function unreadOf(
  { objects, pods }: EngineState,
  targets: readonly Target[],
  entries: Entries,
): UserError | undefined {
  function problemWith(ref: ObjectRef): UserError | undefined {
    const ofPods = KEEPING_PODS.has(ref.kind) ? pods.problemIn(ref.namespace) : undefined;
    return objects.problemOf(ref) ?? ofPods;
  }
  for (const { ref } of targets) {
    const problem = problemWith(ref);
    if (problem !== undefined) return problem;
  }
  for (const ref of refsOf(entries)) {
    const problem = problemWith(ref);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function lookAtAll(
  { contextOf, objects }: EngineState,
  owner: OwnerKey,
  targets: readonly Target[],
  hooks: readonly Target[],
  { namespaces }: Scope,
  signal: AbortSignal,
): Promise<{ looks: Map<string, Look>; prepared: Map<string, Prepared> }> {
  const context = contextOf(owner);
  const looks = new Map<string, Look>();
  const prepared = new Map<string, Prepared>();
  const toAsk: Target[] = [...hooks];
  for (const target of targets) {
    const kept = objects.get(target.id);
    if (kept?.asWanted === target.hash && !kept.isGoing)
      looks.set(target.id, { kind: 'same', uid: kept.uid, claim: kept.claim });
    else toAsk.push(target);
  }
  await pMap(
    toAsk,
    async (target) => {
      const kept = objects.get(target.id);
      const looked = await lookAt(context, target, kept, namespaces, signal);
      looks.set(target.id, looked.look);
      prepared.set(target.id, looked.prepared);
      if (looked.look.kind === 'same' && kept !== undefined)
        objects.settle(target.id, kept.resourceVersion, target.hash);
    },
    { concurrency: AT_ONCE, signal },
  );
  return { looks, prepared };
}

/** What there is of what is not wanted any more, also where our mark was taken off it. */
async function findUnwanted(
  { context, objects }: EngineState,
  { targets, entries }: { targets: readonly Target[]; entries: Entries },
  { kinds }: Scope,
  signal: AbortSignal,
): Promise<Map<string, KeptObject>> {
  const wanted = new Set(targets.map(({ id }) => id));
  const found = new Map<string, KeptObject>();
  const ids = Object.keys(entries).filter((id) => !wanted.has(id));
  await pMap(
    ids,
    async (id) => {
      const kept = objects.get(id) ?? (await findUnmarked(id));
      if (kept !== undefined) found.set(id, kept);
    },
    { concurrency: AT_ONCE, signal },
  );
  return found;

  async function findUnmarked(id: string): Promise<KeptObject | undefined> {
    const ref = parseRefId(id);
    const kind = findKind(kinds, ref);
    // With its kind everything of it is gone.
    if (kind === undefined) return undefined;
    const object = await getObject(context.client, kind, ref, signal);
    return object === undefined ? undefined : keptObject(object, ref, context);
  }
}

function completedJobs({ objects }: EngineState, targets: readonly Target[]): Set<string> {
  const done = targets.filter(({ id, hash }) => objects.hasCompleted(id, hash));
  return new Set(done.map(({ id }) => id));
}
