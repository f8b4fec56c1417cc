import { DRAIN_MS } from './decide-servers.ts';
import type { Seen } from './seen.ts';

/**
 * Why a pass failed: of something that passes by itself; since Docker refused what it was asked, as it may once where something
 * went away meanwhile; or of something that only an operator ends.
 */
export type PassFailure = 'passing' | 'refused' | 'hopeless';

/** How long in a row, in milliseconds. */
const HELD_MS: Readonly<Record<PassFailure, number>> = {
  passing: DRAIN_MS,
  refused: 10_000,
  hopeless: 0,
};

/**
 * What leaves servers, after a pass over what runs on them that failed. Nothing is known of it, so that no server is
 * drained until a pass tells; where none may for long, nobody moves it, and servers are drained all the same.
 */
export function leavingAfter({
  failure,
  failingMs,
}: {
  failure: PassFailure;
  /** How long ago the first of the passes in a row that failed was. */
  failingMs: number;
}): Seen['leaving'] {
  return failingMs < HELD_MS[failure] ? new Map() : undefined;
}
