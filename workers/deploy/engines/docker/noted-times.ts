/** More than any host has containers. */
const MOST_AHEAD = 5_000;

/**
 * Times that Docker or an earlier look noted (ms since the epoch), by this machine's clock. One that lies ahead, since the
 * clock was set back or Docker's own goes before it, counts from when it was first seen, so that nobody waits for it.
 */
export interface NotedTimes {
  of(at: number): number;
}

export function createNotedTimes(now: () => number): NotedTimes {
  const firstSeen = new Map<number, number>();
  return {
    of(at) {
      const known = firstSeen.get(at);
      const current = now();
      if (known !== undefined) return Math.min(known, current);
      if (at <= current) return at;
      firstSeen.set(at, current);
      const [oldest] = firstSeen.keys();
      if (firstSeen.size > MOST_AHEAD && oldest !== undefined) firstSeen.delete(oldest);
      return current;
    },
  };
}

/**
 * When (ms since the epoch) to do again what waits for `longestMs` at most: at once where it lies further ahead than that,
 * since the clock was set back after it was noted.
 */
export function dueAt(at: number, longestMs: number, now: number): number {
  return at > now + longestMs ? now : at;
}
