import type { DesiredState } from '#core/engine.ts';
import { keyOfId, parseRefId } from '#core/kubernetes/api-kind.ts';
import type { Entries, InventoryEntry } from '#core/kubernetes/inventory.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import { FOUNDATIONS, PROTECTED, rankOf } from '#core/kubernetes/kind-order.ts';
import type { Claim } from '#core/kubernetes/marks.ts';
import { ASKED } from '#core/kubernetes/marks.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Change, FieldDiff } from '#core/plan/change.ts';
import { guardPrune } from '#core/plan/prune-guard.ts';
import { displayKey } from '#core/present/display.ts';

/** What the API server says of something that is wanted. */
export type Look =
  | { kind: 'absent'; unchecked?: string }
  /** The one before has not gone yet. */
  | { kind: 'going'; uid: string; claim: Claim; why: string }
  | { kind: 'same'; uid: string; claim: Claim }
  /** `fields` is empty where only our marks are others. */
  | {
      kind: 'differs';
      uid: string;
      claim: Claim;
      fields: FieldDiff[];
      by: string[];
      isDrift: boolean;
    }
  /** It cannot be changed to that. */
  | { kind: 'immutable'; uid: string; claim: Claim; why: string }
  | { kind: 'refused'; why: string; claim?: Claim; uid?: string };

export interface OwnerView {
  state: DesiredState;
  targets: readonly Target[];
  looks: ReadonlyMap<string, Look>;
  entries: Entries;
  /** What there is of the entries that are not wanted; what is not here is gone. */
  unwanted: ReadonlyMap<string, KeptObject>;
  /** Who of the owners asked about wants what. */
  wanting: ReadonlyMap<string, readonly OwnerKey[]>;
  asked: ReadonlySet<OwnerKey>;
  /** What is made for one release only: neither missing nor unwanted. */
  hooks: readonly Target[];
  /** Jobs that have completed as they are wanted; they may be gone by now. */
  completed: ReadonlySet<string>;
}

export interface Deletion {
  change: Change;
  id: string;
  uid: string;
  wave: number;
  rank: number;
  isGoing: boolean;
}

export interface OwnerPlan {
  changes: { change: Change; target: Target; uid?: string; isDrift: boolean; waits?: true }[];
  /** Only marks differ: applied, and not worth telling. */
  remarked: Target[];
  deletions: Deletion[];
  held: Change[];
  /** What the inventory is to say before anything is done. */
  entries: Entries;
  /** Why nothing is done at all. */
  failure?: string;
}

/** What is to be done for an owner. Nothing is, where anything that it wants cannot be had. */
export function planOwner(view: OwnerView): OwnerPlan {
  const { targets, hooks, looks, entries, state } = view;
  const problems: string[] = hooks.flatMap((hook) => hookProblem(hook, view) ?? []);
  const plan: OwnerPlan = { changes: [], remarked: [], deletions: [], held: [], entries: {} };
  for (const target of targets) {
    const look = looks.get(target.id) ?? { kind: 'absent' };
    const problem = claimProblem(target, look, view) ?? refusal(target, look);
    if (problem !== undefined) problems.push(problem);
    else addChange(plan, target, look, hasCompleted(target, view));
  }
  const { deletions, heldBack, kept } = deletionsOf(view);
  const owned = Object.entries(entries).map(([id, { held }]) => ({
    key: id,
    ...(held === true ? { held } : {}),
  }));
  const guarded = guardPrune(
    deletions.map(({ id, change }) => ({ ...change, key: id })),
    owned,
    state.guard,
  );
  const isHeld = new Set(guarded.held.map(({ key }) => key));
  const heldDeletions = deletions.filter(({ id }) => isHeld.has(id));
  plan.deletions = deletions.filter(({ id }) => !isHeld.has(id));
  plan.held = [
    ...heldDeletions.map(({ id, change }) => ({
      ...change,
      ...reasonOf(guarded.held.find(({ key }) => key === id)),
    })),
    ...heldBack.map(({ change }) => change),
  ];
  plan.entries = {
    ...Object.fromEntries(
      [...plan.deletions, ...heldDeletions, ...heldBack, ...kept].map(({ id, uid }) => {
        const { held: _held, ...entry } = entries[id] ?? {};
        const isWaiting = isHeld.has(id);
        return [id, { ...entry, uid: entry.uid ?? uid, ...(isWaiting ? { held: true } : {}) }];
      }),
    ),
    ...Object.fromEntries(targets.map((target) => [target.id, wantedEntry(target, view)])),
  };
  return problems.length === 0 ? plan : { ...plan, failure: joined(problems) };
}

function reasonOf(change: Change | undefined): { reason?: string } {
  return change?.reason === undefined ? {} : { reason: change.reason };
}

function joined(problems: readonly string[]): string {
  const [first = '', ...others] = problems;
  return others.length === 0 ? first : `${first} (and ${others.length} more: ${others.join('; ')})`;
}

/** Why it is not this owner's to change. */
function claimProblem(
  { id, key, owner, asked: { adopt } }: Target,
  look: Look,
  { entries, wanting, asked }: OwnerView,
): string | undefined {
  const rival = (wanting.get(id) ?? []).find((each) => each !== owner);
  if (look.kind === 'absent' || look.claim === undefined)
    // The first by name has it, so that not both wait for each other.
    return rival !== undefined && rival < owner
      ? `${displayKey(key)} is wanted by ${rival} too, so ${owner} cannot have it`
      : undefined;
  const { claim, uid } = look;
  switch (claim.by) {
    case 'installation':
      return `${displayKey(key)} was made by another installation of Windlass (${claim.installation})`;
    case 'owner': {
      if (claim.owner === owner) return undefined;
      // It has left that owner's release: this is its new one.
      if (asked.has(claim.owner) && rival !== claim.owner) return undefined;
      return `${displayKey(key)} belongs to ${claim.owner}, so ${owner} cannot have it too: rename it, or take it out of the other one first`;
    }
    case 'nobody': {
      const isOurs = uid !== undefined && entries[id]?.uid === uid;
      if (isOurs || adopt) return undefined;
      return `${displayKey(key)} is there already, and Windlass did not make it: annotate it with ${ASKED.adopt}: "true" to take it over`;
    }
  }
}

/** Of one that was looked at: what an earlier release left under its name is no problem. */
function hookProblem(hook: Target, view: OwnerView): string | undefined {
  const look = view.looks.get(hook.id);
  if (look === undefined) return undefined;
  const refused = look.kind === 'refused' ? `${displayKey(hook.key)}: ${look.why}` : undefined;
  return claimProblem(hook, look, view) ?? refused;
}

function refusal({ key, asked, ref }: Target, look: Look): string | undefined {
  if (look.kind === 'refused') return `${displayKey(key)}: ${look.why}`;
  if (look.kind !== 'immutable' || canReplace({ asked, ref })) return undefined;
  const wayOut = PROTECTED.includes(ref.kind)
    ? `a ${ref.kind} is never made anew: what belongs to it would go too`
    : `annotate it with ${ASKED.replace}: "true" to have it deleted and made anew`;
  return `${displayKey(key)}: ${look.why}: ${wayOut}`;
}

/** A Job is a run of what it says: another is another run. */
function canReplace({ asked, ref }: Pick<Target, 'asked' | 'ref'>): boolean {
  if (PROTECTED.includes(ref.kind)) return false;
  return asked.replace || (ref.group === 'batch' && ref.kind === 'Job');
}

/** A Job may delete itself once it has. */
function hasCompleted({ id, hash }: Target, { entries, completed }: OwnerView): boolean {
  return completed.has(id) || entries[id]?.done === hash;
}

function addChange(plan: OwnerPlan, target: Target, look: Look, isCompleted: boolean): void {
  const { key } = target;
  switch (look.kind) {
    case 'absent': {
      if (isCompleted) return;
      const reason = look.unchecked === undefined ? {} : { reason: look.unchecked };
      const change: Change = { action: 'create', key, fields: [], ...reason };
      plan.changes.push({ target, change, isDrift: false });
      return;
    }
    case 'going': {
      if (isCompleted) return;
      const change: Change = {
        action: 'create',
        key,
        fields: [],
        reason: `the one before ${look.why}`,
      };
      plan.changes.push({ target, change, isDrift: false, waits: true });
      return;
    }
    case 'differs': {
      if (look.fields.length === 0) {
        plan.remarked.push(target);
        return;
      }
      const { fields, by, isDrift, uid } = look;
      const reason = by.length === 0 ? {} : { reason: `set by ${by.join(', ')}` };
      const change: Change = { action: 'update', key, fields, ...reason };
      plan.changes.push({ target, uid, isDrift, change });
      return;
    }
    case 'immutable':
      plan.changes.push({
        target,
        uid: look.uid,
        isDrift: false,
        change: { action: 'replace', key, fields: [], reason: look.why },
      });
      return;
    case 'same':
    case 'refused':
  }
}

function wantedEntry(
  { id, hash }: Target,
  { looks, entries, completed }: OwnerView,
): InventoryEntry {
  const look = looks.get(id);
  const { held: _held, ...entry } = entries[id] ?? {};
  const before = completed.has(id) ? { ...entry, done: hash } : entry;
  if (look === undefined || look.kind === 'absent' || look.uid === undefined) return before;
  const isAdopted = before.uid === undefined && look.claim?.by === 'nobody';
  return {
    ...before,
    uid: look.uid,
    ...(isAdopted ? { adopted: true as const } : {}),
  };
}

interface Deletions {
  deletions: Deletion[];
  /** What goes with more than itself: only by annotation or confirmation. */
  heldBack: Deletion[];
  /** Another owner is about to take it. */
  kept: { id: string; uid: string }[];
}

function deletionsOf({ state, targets, hooks, entries, unwanted, wanting }: OwnerView): Deletions {
  const wanted = new Set([...targets, ...hooks].map(({ id }) => id));
  const found: Deletions = { deletions: [], heldBack: [], kept: [] };
  for (const [id, entry] of Object.entries(entries)) {
    const live = unwanted.get(id);
    if (wanted.has(id) || live === undefined || !isStillOurs(state.owner, entry, live)) continue;
    if (entry.adopted === true || live.prune === 'keep' || live.isControlled) continue;
    if ((wanting.get(id) ?? []).length > 0) {
      found.kept.push(live);
      continue;
    }
    const { kind } = parseRefId(id);
    const mayGo = live.prune === 'allow' || live.isGoing || state.guard === undefined;
    const isHeld = PROTECTED.includes(kind) && !mayGo;
    const reason = isHeld
      ? `not in git any more; a ${kind} waits for a confirmation, or ${ASKED.prune}: "true" on it`
      : goingReason(live);
    const deletion: Deletion = {
      id,
      uid: live.uid,
      wave: FOUNDATIONS.includes(kind) ? -Infinity : live.wave,
      rank: rankOf(kind),
      isGoing: live.isGoing,
      change: { action: 'delete', key: keyOfId(id), fields: [], reason },
    };
    (isHeld ? found.heldBack : found.deletions).push(deletion);
  }
  found.deletions.sort((one, other) =>
    one.wave === other.wave ? other.rank - one.rank : other.wave - one.wave,
  );
  return found;
}

function goingReason({ isGoing, seen }: KeptObject): string {
  return isGoing ? seen.health.reason : 'not in git any more';
}

/** Neither made anew by somebody, nor another owner's by now. */
function isStillOurs(owner: OwnerKey, entry: InventoryEntry, live: KeptObject): boolean {
  if (live.claim.by === 'owner') return live.claim.owner === owner;
  return live.claim.by === 'nobody' && entry.uid === live.uid;
}

/** Whose turn it is: nothing of a wave before all lower ones are as wanted and well. */
export function nextTargets(
  targets: readonly Target[],
  changing: ReadonlySet<string>,
  isWell: (target: Target) => boolean,
): Target[] {
  const first = targets.find((target) => changing.has(target.id) || !isWell(target));
  if (first === undefined) return [];
  return targets.filter(({ id, wave }) => wave === first.wave && changing.has(id));
}

/** What goes next: the last in the order of applying, when all that came after it is gone. */
export function nextDeletions(deletions: readonly Deletion[]): Deletion[] {
  const [last] = deletions;
  if (last === undefined) return [];
  return deletions.filter(
    ({ wave, rank, isGoing }) => wave === last.wave && rank === last.rank && !isGoing,
  );
}
