import type { DesiredState, Reconciliation } from '#core/engine.ts';

/** Kinds that the cluster serves are asked for again by a pass after it. */
const LONGEST_MS = 600_000;

/** What a pass found where nothing was to be done: as long as nothing has changed since, the next one finds the same. */
interface Quiet {
  /** What is known of the cluster has changed. */
  onChange: () => void;
  /** Before a pass: what the last one found, where that still holds. */
  last(desired: readonly DesiredState[], now: number): Reconciliation | undefined;
  /** How often something had changed. */
  revision(): number;
  /** After a pass, which began at that revision. */
  keep(desired: readonly DesiredState[], found: Reconciliation, begun: number, now: number): void;
}

export function createQuiet(): Quiet {
  let revision = 0;
  let kept: { desired: Wish[]; found: Reconciliation; at: number } | undefined;

  return {
    onChange() {
      revision += 1;
      kept = undefined;
    },
    last(desired, now) {
      if (kept === undefined || now - kept.at > LONGEST_MS) return undefined;
      return isSame(kept.desired, wishesOf(desired)) ? kept.found : undefined;
    },
    revision: () => revision,
    keep(desired, found, begun, now) {
      const isQuiet = found.done.length === 0 && found.owners.every(({ serving }) => serving);
      kept =
        isQuiet && revision === begun ? { desired: wishesOf(desired), found, at: now } : undefined;
    },
  };
}

/** Resources stay the same from pass to pass, and are many. */
interface Wish {
  resources: DesiredState['resources'];
  rest: string;
}

function wishesOf(desired: readonly DesiredState[]): Wish[] {
  return desired.map(({ resources, ...rest }) => ({ resources, rest: JSON.stringify(rest) }));
}

function isSame(one: readonly Wish[], other: readonly Wish[]): boolean {
  return (
    one.length === other.length &&
    one.every(
      ({ resources, rest }, index) =>
        other[index]?.resources === resources && other[index].rest === rest,
    )
  );
}
