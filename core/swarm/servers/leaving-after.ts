import { DRAIN_MS } from './decide-servers.ts';
import type { Seen } from './seen.ts';

/**
 * What leaves servers, after a pass over what runs on them that failed. Nothing is known of it, so that no server is
 * drained until a pass tells; where none may for long, nobody moves it, and servers are drained all the same.
 */
export function leavingAfter({
  mayPass,
  failingMs,
}: {
  /** A later pass may succeed by itself. */
  mayPass: boolean;
  /** How long ago the first of the passes in a row that failed was. */
  failingMs: number;
}): Seen['leaving'] {
  return mayPass && failingMs < DRAIN_MS ? new Map() : undefined;
}
