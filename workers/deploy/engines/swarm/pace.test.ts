import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createPace } from './pace.ts';
import type { Pace } from './pace.ts';

let rung: string[];
let pace: Pace;
beforeEach(() => {
  vi.useFakeTimers();
  rung = [];
  pace = createPace((what) => void rung.push(what));
});
afterEach(() => {
  pace.stop();
  vi.useRealTimers();
});

function start(count: number): void {
  for (let index = 1; index <= count; index += 1)
    pace.happened({ what: `start ${index}`, container: 'start' });
}

it('tells the first event at once, and the last of those that follow closely', () => {
  start(3);
  expect(rung).toEqual(['start 1']);
  vi.advanceTimersByTime(100);
  expect(rung).toEqual(['start 1', 'start 3']);
});

it('waits until half of those are up that start, and tells of the swarm at once', () => {
  pace.looked({ starts: 3, ms: 2_000 });
  start(2);
  expect(rung).toEqual([]);
  pace.happened({ what: 'node update' });
  expect(rung).toEqual(['node update']);
  vi.advanceTimersByTime(100);
  start(1);
  expect(rung).toEqual(['node update', 'start 1']);
});

it('waits no longer than it was told, and loses nothing of what came meanwhile', () => {
  pace.looked({ starts: 3, ms: 2_000 });
  start(1);
  vi.advanceTimersByTime(1_999);
  expect(rung).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(rung).toEqual(['start 1']);
  vi.advanceTimersByTime(10_000);
  expect(rung).toEqual(['start 1']);
});

it('tells what came during a look that finds few, and nothing that came before it', () => {
  pace.looked({ starts: 3, ms: 2_000 });
  start(1);
  pace.looks();
  pace.looked({ starts: 3, ms: 500 });
  vi.advanceTimersByTime(1_000);
  expect(rung).toEqual([]);
  pace.looked({ starts: 3, ms: 2_000 });
  pace.looks();
  start(1);
  pace.looked(undefined);
  expect(rung).toEqual(['start 1']);
});

it('goes on where a look fails', () => {
  pace.looked({ starts: 3, ms: 2_000 });
  pace.looks();
  start(1);
  vi.advanceTimersByTime(2_000);
  expect(rung).toEqual(['start 1']);
});
