import { describe, expect, it } from 'vitest';
import { afterRestart, pullTime, restartTime } from '#core/docker/backoff.ts';
import type { Backoff } from '#core/docker/backoff.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What each end waits for, of a container that runs that long each time. */
function waits(runsMs: readonly number[]): number[] {
  let backoff: Backoff | undefined;
  let now = 0;
  return runsMs.map((runMs) => {
    const finishedAt = now + runMs;
    const at = restartTime(backoff, finishedAt);
    backoff = afterRestart(backoff, at);
    now = at;
    return (at - finishedAt) / SECOND;
  });
}

describe('crash back-off', () => {
  it('restarts at once, then waits 10 s, and twice as long each time up to 5 minutes', () => {
    const runs = Array.from({ length: 9 }, () => SECOND);
    expect(waits(runs)).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('begins anew after ten minutes of running', () => {
    expect(waits([SECOND, SECOND, SECOND, 10 * MINUTE + SECOND, SECOND, SECOND])).toEqual([
      0, 10, 20, 0, 10, 20,
    ]);
  });

  it('does not begin anew before that', () => {
    expect(waits([SECOND, SECOND, 9 * MINUTE, SECOND])).toEqual([0, 10, 20, 40]);
  });
});

describe('pull back-off', () => {
  it('waits 10 s, and twice as long each time up to 5 minutes', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 50].map((attempts) => pullTime(attempts, MINUTE) - MINUTE);
    expect(waits.map((ms) => ms / SECOND)).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  });
});
