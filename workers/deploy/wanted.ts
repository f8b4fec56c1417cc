import { applyByHand, nextEnd } from '#core/by-hand/apply-by-hand.ts';
import type { AllByHand, Note } from '#core/by-hand/by-hand.ts';
import { activeOverrides, explainOverrides } from '#core/by-hand/overrides.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import type { PruneGuard } from '#core/plan/prune-guard.ts';
import type { OwnerReport } from '#core/ports.ts';
import type { Window } from '#core/windows/window.ts';
import { closedText, windowState } from '#core/windows/window-state.ts';

/** What the owners on a cluster want now: their releases, as people have altered them by hand. */
export interface Wanted {
  /** What an owner wants from now on. */
  keep(state: DesiredState): void;
  /** The owners that are declared; what others have is neither healed nor removed. */
  declare(
    owners: readonly OwnerKey[],
    deploying: ReadonlySet<OwnerKey>,
    windows?: ReadonlyMap<OwnerKey, readonly Window[]>,
  ): void;
  /** Those that are declared now; nothing of an owner that is not declared. */
  windowsOf(owner: OwnerKey): readonly Window[] | undefined;
  /** Declared owners of which no release is known here. */
  unknown(): OwnerKey[];
  /** Owners whose releases cannot be read, and why. */
  lack(reasons: ReadonlyMap<OwnerKey, string>): void;
  /** Those of them that are unknown still: what they have goes on as it is. */
  unread(): OwnerReport[];
  takeByHand(all: AllByHand): void;
  suspension(owner: OwnerKey): Note | undefined;
  /** A state that is no owner's yet, as it would be taken. */
  asTaken(state: DesiredState): DesiredState;
  /** Also of owners that are being deployed, whether they are declared or not. */
  all(deploying: ReadonlySet<OwnerKey>): DesiredState[];
  /** When it changes by time alone (ms since the epoch). */
  endsAt(): number;
  /** With what people have altered, by whom and until when. */
  explain(owner: OwnerKey, plan: Plan): Plan;
  report(status: OwnerStatus): OwnerReport;
}

export function createWanted(cluster: string, guard: PruneGuard, now: () => number): Wanted {
  const releases = new Map<OwnerKey, DesiredState>();
  let declared: ReadonlySet<OwnerKey> = new Set();
  let byHand: AllByHand = {};
  let windows: ReadonlyMap<OwnerKey, readonly Window[]> = new Map();
  let unreadable: ReadonlyMap<OwnerKey, string> = new Map();

  function asTaken(state: DesiredState): DesiredState {
    return applyByHand(state, byHand[state.owner], guard, now());
  }

  function overrides(owner: OwnerKey): OwnerReport['overrides'] {
    const state = releases.get(owner);
    return state === undefined ? [] : activeOverrides(state, byHand[owner], now());
  }

  function deletions(deploying: ReadonlySet<OwnerKey>): DesiredState[] {
    return Object.entries(byHand)
      .filter(([owner]) => !declared.has(owner) && !deploying.has(owner))
      .filter(([, { deleted = [] }]) => deleted.some((each) => each.cluster === cluster))
      .map(([owner]) => ({ owner, release: '', resources: [] }));
  }

  function closedIn(owner: OwnerKey): Pick<OwnerReport, 'closed'> {
    const state = windowState(windows.get(owner) ?? [], now());
    if (state.isOpen) return {};
    const { opened } = byHand[owner] ?? {};
    if (opened === undefined || opened.until <= now() || !state.mayOverride)
      return { closed: closedText(state) };
    const until = new Date(opened.until).toISOString().slice(0, 16).replace('T', ' ');
    return { closed: `deploys were opened by ${opened.who} until ${until} UTC` };
  }

  function explain(owner: OwnerKey, plan: Plan): Plan {
    return explainOverrides(plan, overrides(owner));
  }

  function unknown(): OwnerKey[] {
    return [...declared].filter((owner) => !releases.has(owner));
  }

  function report(status: OwnerStatus): OwnerReport {
    const suspended = byHand[status.owner]?.suspended;
    return {
      ...status,
      plan: explain(status.owner, status.plan),
      overrides: overrides(status.owner),
      ...(suspended === undefined ? {} : { suspended }),
      ...closedIn(status.owner),
    };
  }

  return {
    keep: (state) => void releases.set(state.owner, state),
    declare(owners, deploying, told = new Map()) {
      declared = new Set(owners);
      windows = told;
      // Declared again later, its release may be another.
      for (const owner of releases.keys()) {
        if (!declared.has(owner) && !deploying.has(owner)) releases.delete(owner);
      }
    },
    windowsOf: (owner) => (declared.has(owner) ? (windows.get(owner) ?? []) : undefined),
    unknown,
    lack(reasons) {
      unreadable = reasons;
    },
    unread: () =>
      unknown().flatMap((owner) => {
        const reason = unreadable.get(owner);
        return reason === undefined ? [] : [report(unreadStatus(owner, reason))];
      }),
    takeByHand(all) {
      byHand = all;
    },
    suspension: (owner) => byHand[owner]?.suspended,
    asTaken,
    all: (deploying) => [
      ...[...releases.values()]
        .filter(({ owner }) => declared.has(owner) || deploying.has(owner))
        .map(asTaken),
      ...deletions(deploying),
    ],
    endsAt: () =>
      Math.min(Infinity, ...[...releases.keys()].map((owner) => nextEnd(byHand[owner], now()))),
    explain,
    report,
  };
}

function unreadStatus(owner: OwnerKey, reason: string): OwnerStatus {
  const failure = `its release cannot be read, and what it has here is left as it is: ${reason}`;
  return { owner, release: '', plan: [], held: [], resources: [], serving: false, failure };
}
