import type { LeftAlone } from '#core/swarm/leave-alone.ts';
import { debounce } from '../debounce.ts';

const DEBOUNCE_MS = 100;

/** Of a container of ours on the manager's own server, or of the swarm. */
export interface Happening {
  what: string;
  container?: 'start' | 'other';
}

/**
 * When what happens makes a look. Where many tasks start their containers' events wait, until half of those are up that the
 * look before told of or its time is over. Nothing that happens after a look began is lost.
 */
export interface Pace {
  looks(): void;
  looked(alone: LeftAlone | undefined): void;
  happened(happening: Happening): void;
  stop(): void;
}

export function createPace(ring: (what: string) => void): Pace {
  const debounced = debounce(ring, DEBOUNCE_MS);
  let alone: { starts: number; timer: NodeJS.Timeout } | undefined;
  let waiting: string | undefined;

  function end(): void {
    clearTimeout(alone?.timer);
    alone = undefined;
    if (waiting !== undefined) debounced.ring(waiting);
    waiting = undefined;
  }

  return {
    looks() {
      waiting = undefined;
    },
    looked(next) {
      if (next === undefined) return end();
      clearTimeout(alone?.timer);
      alone = { starts: next.starts, timer: setTimeout(end, next.ms) };
    },
    happened({ what, container }) {
      if (alone === undefined || container === undefined) return debounced.ring(what);
      waiting = what;
      if (container === 'start') alone.starts -= 1;
      if (alone.starts <= 0) end();
    },
    stop() {
      clearTimeout(alone?.timer);
      debounced.stop();
    },
  };
}
