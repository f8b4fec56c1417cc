import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { QUALITIES } from './commits.ts';
import type { Quality } from './commits.ts';
import { verdict } from './verdict.ts';
import { createWorld, ROLES } from './world.ts';
import type { Role, World } from './world.ts';

type Action =
  | { do: 'push'; quality: Quality }
  | { do: 'kill' | 'start'; role: Role }
  | { do: 'cancel' | 'turn clock back' | 'lose locks' }
  | { do: 'go on'; choices: number[] };

/** Of all that wait, whichever began to last. */
const LAST = -1;
/** At random, or always the same: whoever waits longest, or never that one. */
const choices = fc.oneof(
  fc.array(fc.nat(20), { minLength: 1, maxLength: 25 }),
  fc
    .record({ choice: fc.constantFrom(0, 1, 2, 3, LAST), times: fc.integer({ min: 1, max: 90 }) })
    .map(({ choice, times }) => Array.from({ length: times }, () => choice)),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('go on' as const), choices }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      quality: fc.constantFrom(...QUALITIES),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'start' as const, 'start' as const),
      role: fc.constantFrom(...ROLES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'turn clock back' as const, 'lose locks' as const),
    }),
  },
);

const SCHEDULES = 1_000;
const HOUR_MS = 3_600_000;
/** More than any schedule needs. */
const MOST_STEPS = 20_000;
/** Nothing is left to do when nothing came of letting time pass this often: each role has looked again by then. */
const QUIET_TIMES = 8;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('ends every run once, and the last push wins, whatever is killed and when', async () => {
  const schedules = fc.array(action, { minLength: 5, maxLength: 40 });
  async function isWell(schedule: readonly Action[]): Promise<void> {
    vi.clearAllTimers();
    const world = createWorld();
    for (const role of ROLES) world.start(role);
    for (const each of schedule) await carryOut(world, each);
    await comeToRest(world);
    expect(await verdict(world)).toEqual([]);
  }
  await fc.assert(fc.asyncProperty(schedules, isWell), { numRuns: SCHEDULES });
}, 120_000);

async function carryOut(world: World, each: Action): Promise<void> {
  switch (each.do) {
    case 'push':
      return world.push(each.quality);
    case 'kill':
      return world.kill(each.role);
    case 'start':
      return world.start(each.role);
    case 'cancel':
      return world.cancelNewest();
    case 'lose locks':
      return world.loseLocks();
    case 'turn clock back':
      vi.setSystemTime(Date.now() - HOUR_MS);
      return undefined;
    case 'go on':
      for (const choice of each.choices) await goOn(world, choice);
      return undefined;
  }
}

/** Time passes only where all wait for it; answers whether it did. */
async function goOn(world: World, choice: number): Promise<boolean> {
  if (await world.step(choice)) return false;
  vi.advanceTimersToNextTimer();
  return true;
}

/** With every role up again, until nothing is left to do. */
async function comeToRest(world: World): Promise<void> {
  for (const role of ROLES) world.start(role);
  let before = -1;
  let quiet = 0;
  for (let steps = 0; steps < MOST_STEPS && quiet < QUIET_TIMES; steps += 1) {
    if (!(await goOn(world, 0))) continue;
    quiet = world.changes() === before ? quiet + 1 : 0;
    before = world.changes();
  }
}
