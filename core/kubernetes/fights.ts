import { contentHash } from '#core/hash.ts';
import type { Change } from '#core/plan/change.ts';

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 300_000;
/** Another change after it is no answer to ours. */
const FORGET_MS = 600_000;

/** The same correction made over and over: somebody else sets the same fields. */
export interface Fight {
  signature: string;
  corrections: number;
  /** When it may be corrected again (ms since the epoch). */
  nextAt: number;
  lastAt: number;
}

/** After a correction: the first is made again at once, each later one waits three times as long. */
export function afterCorrection(before: Fight | undefined, change: Change, now: number): Fight {
  const signature = signatureOf(change);
  const isSame =
    before !== undefined && before.signature === signature && now - before.lastAt < FORGET_MS;
  const corrections = isSame ? before.corrections + 1 : 1;
  const pause = corrections === 1 ? 0 : FIRST_PAUSE_MS * 3 ** (corrections - 2);
  return { signature, corrections, lastAt: now, nextAt: now + Math.min(LONGEST_PAUSE_MS, pause) };
}

/** When the change may be made; undefined: now. */
export function heldBackUntil(
  fight: Fight | undefined,
  change: Change,
  now: number,
): number | undefined {
  if (fight === undefined || fight.signature !== signatureOf(change)) return undefined;
  return now < fight.nextAt ? fight.nextAt : undefined;
}

function signatureOf({ fields }: Change): string {
  return contentHash(fields.map(({ path, desired }) => [path, desired]));
}
