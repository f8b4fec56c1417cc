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

/** Passes in a row that failed, by a clock in milliseconds. */
export interface Failing {
  failure: PassFailure;
  since: number;
  /** Of the last ones the first, where those were refused. */
  refusedSince?: number;
}

/** One more that failed. */
export function failingAfter(
  before: Failing | undefined,
  failure: PassFailure,
  now: number,
): Failing {
  const since = before?.since ?? now;
  if (failure !== 'refused') return { failure, since };
  return { failure, since, refusedSince: before?.refusedSince ?? now };
}

/**
 * What leaves servers, after a pass over what runs on them that failed. Nothing is known of it, so that no server is
 * drained until a pass tells; where none may for long, nobody moves it, and servers are drained all the same.
 */
export function leavingAfter(
  { failure, since, refusedSince = since }: Failing,
  now: number,
): Seen['leaving'] {
  return now - refusedSince < HELD_MS[failure] ? new Map() : undefined;
}
