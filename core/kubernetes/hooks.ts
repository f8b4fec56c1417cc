import type { HookRun } from '#core/kubernetes/hook-annotations.ts';
import type { HookRecord } from '#core/kubernetes/hook-record.ts';
import type { Entries } from '#core/kubernetes/inventory.ts';
import type { KeptObject } from '#core/kubernetes/kept-object.ts';
import type { Seen } from '#core/kubernetes/seen.ts';
import type { Target } from '#core/kubernetes/target.ts';
import { displayKey } from '#core/present/display.ts';

/** Something that is made for one release, at one of its times. */
export type HookTarget = Target & { hook: HookRun };

type Run = HookRecord['runs'][string];

/** How far everything else is. */
export interface SyncState {
  /** The lowest wave of which something is to be applied: -Infinity that of namespaces and definitions, Infinity none. */
  applying: number;
  /** The same where something is to be applied, or is not well. */
  settling: number;
  /** Why it will not come to that. */
  failure?: string | undefined;
}

export interface HooksView {
  hooks: readonly HookTarget[];
  release: string;
  record: HookRecord | undefined;
  entries: Entries;
  live: (id: string) => Pick<KeptObject, 'uid' | 'applied' | 'isGoing'> | undefined;
  /** How one is that runs, with its pods. */
  seen: (hook: HookTarget) => Seen;
  sync: SyncState;
}

export interface HookDecision {
  /** What the release is at; `failed` where a hook was the reason: nothing else is applied then. */
  stage: 'foundations' | 'before' | 'sync' | 'after' | 'done' | 'failed';
  /** To be written before anything is done. */
  record: HookRecord | undefined;
  entries: Entries;
  /** Nothing else of a higher wave has its turn. */
  upTo: number;
  make: HookTarget[];
  remove: { id: string; uid: string }[];
  /** Those of this release that have not ended, in their order. */
  pending: HookTarget[];
  /** Why the release has failed; told once the hooks that are for that have ended. */
  failure?: string;
  /** Hooks for a failure run. */
  isFailing: boolean;
}

/**
 * What is to be done of a release's hooks. Each runs once per release, the lower wave first; what one of an earlier release
 * left goes before another is made under its name.
 */
export function decideHooks(view: HooksView): HookDecision {
  const { release, sync } = view;
  const begun = view.record?.release === release ? view.record : undefined;
  const how = begun?.how ?? (Object.keys(view.entries).length > 0 ? 'upgrade' : 'install');
  const hooks = view.hooks.filter(({ hook }) => hook.on === 'both' || hook.on === how);
  const runs = new Map<HookTarget, Run | undefined>(
    hooks.map((hook) => [hook, runOf(hook, begun?.runs[nameOf(hook)], view)]),
  );
  function open(phase: HookRun['phase']): HookTarget[] {
    return hooks.filter((each) => each.hook.phase === phase && !hasEnded(runs.get(each)));
  }
  const failed = hooks.find(
    (each) => each.hook.phase !== 'failure' && runs.get(each)?.state === 'failed',
  );
  const isLost = failed !== undefined;
  const isPast = open('before').length === 0;
  const lost = isLost ? failureText(failed, runs.get(failed)) : undefined;
  const wasDone = begun?.done === true;
  const failure = lost ?? (isPast && !wasDone ? sync.failure : undefined);
  const stage = isLost ? 'failed' : stageOf(sync, (phase) => open(phase).length > 0);
  const isDone = wasDone || (stage === 'done' && failure === undefined);
  const atHand = handlingOf(failure, stage);
  const turn = atHand === undefined ? [] : turnOf(atHand, open(atHand), sync);
  return {
    stage,
    record: view.hooks.length === 0 ? undefined : recordOf({ release, how, isDone }, runs),
    make: turn.filter((hook) => view.live(hook.id) === undefined),
    remove: [
      ...turn.flatMap((hook) => outdated(hook, view)),
      ...hooks.flatMap((hook) => spent(hook, runs.get(hook), view)),
    ],
    entries: entriesOf(view, turn),
    upTo: lowestWave(open('sync')),
    pending:
      failure === undefined
        ? [...open('before'), ...open('sync'), ...open('after')]
        : open('failure'),
    ...(failure === undefined ? {} : { failure }),
    isFailing: failure !== undefined && open('failure').length > 0,
  };
}

function stageOf(
  { settling }: SyncState,
  hasOpen: (phase: HookRun['phase']) => boolean,
): HookDecision['stage'] {
  if (hasOpen('before')) return settling === -Infinity ? 'foundations' : 'before';
  if (settling < Infinity || hasOpen('sync')) return 'sync';
  return hasOpen('after') ? 'after' : 'done';
}

/** Whose turn it is. */
function handlingOf(
  failure: string | undefined,
  stage: HookDecision['stage'],
): HookRun['phase'] | undefined {
  if (failure !== undefined) return 'failure';
  return stage === 'before' || stage === 'sync' || stage === 'after' ? stage : undefined;
}

/** Beside everything else a hook comes once its wave is applied, which it may need, and all lower ones are well. */
function turnOf(
  phase: HookRun['phase'],
  open: readonly HookTarget[],
  { applying, settling }: SyncState,
): HookTarget[] {
  const first = lowestWave(open);
  if (phase === 'sync' && (first >= applying || first > settling)) return [];
  return open.filter(({ wave }) => wave === first);
}

function runOf(hook: HookTarget, before: Run | undefined, view: HooksView): Run | undefined {
  if (hasEnded(before)) return before;
  const live = view.live(hook.id);
  if (live === undefined || live.applied !== hook.hash) {
    if (before === undefined) return undefined;
    // What deletes itself once it has ended says so.
    const goesByItself = hasTimeToLive(hook);
    return goesByItself
      ? { state: 'succeeded' }
      : { state: 'failed', reason: 'was deleted before its end was seen' };
  }
  const { health, isFinal } = view.seen(hook);
  if (health.status === 'Healthy') return { state: 'succeeded' };
  return isFinal === true ? { state: 'failed', reason: health.reason } : { state: 'made' };
}

function hasTimeToLive({ resource }: HookTarget): boolean {
  const spec = resource['spec'] as { ttlSecondsAfterFinished?: unknown } | undefined;
  return typeof spec?.ttlSecondsAfterFinished === 'number';
}

function hasEnded(run: Run | undefined): boolean {
  return run !== undefined && run.state !== 'made';
}

function failureText({ key, hook }: HookTarget, run: Run | undefined): string {
  return `${displayKey(key)} (hook, ${hook.phase}): ${run?.reason ?? 'failed'}`;
}

function lowestWave(hooks: readonly HookTarget[]): number {
  return Math.min(...hooks.map(({ wave }) => wave));
}

/** What bears its name and is of an earlier release, or of another time of this one. */
function outdated({ id, hash }: HookTarget, { live }: HooksView): { id: string; uid: string }[] {
  const found = live(id);
  return found === undefined || found.isGoing || found.applied === hash
    ? []
    : [{ id, uid: found.uid }];
}

function spent(
  { id, hash, hook }: HookTarget,
  run: Run | undefined,
  { live }: HooksView,
): { id: string; uid: string }[] {
  const found = live(id);
  const isOver = run !== undefined && run.state !== 'made' && hook.deletion.includes(run.state);
  return found?.applied === hash && !found.isGoing && isOver ? [{ id, uid: found.uid }] : [];
}

function recordOf(
  { release, how, isDone }: Pick<HookRecord, 'release' | 'how'> & { isDone: boolean },
  runs: ReadonlyMap<HookTarget, Run | undefined>,
): HookRecord {
  const known = [...runs].flatMap(([hook, run]) =>
    run === undefined ? [] : [[nameOf(hook), run] as const],
  );
  const done = isDone ? { done: true as const } : {};
  return { release, how, ...done, runs: Object.fromEntries(known) };
}

/** What of them is there, or is about to be made. */
function entriesOf({ hooks, live, entries }: HooksView, turn: readonly HookTarget[]): Entries {
  return Object.fromEntries(
    hooks.flatMap(({ id }) => {
      const found = live(id);
      if (found !== undefined) return [[id, { uid: found.uid }] as const];
      return turn.some((each) => each.id === id) ? [[id, entries[id] ?? {}] as const] : [];
    }),
  );
}

function nameOf({ hook, id }: HookTarget): string {
  return `${hook.phase} ${id}`;
}
