import { expect, it } from 'vitest';
import { decideServers, nextStep } from './decide-servers.ts';
import { reportServers } from './report.ts';
import type { DeclaredServer, Role } from './seen.ts';
import { addressOf, Fleet } from './testing/fleet.ts';

const ROUND_MS = 20_000;
const ROUNDS = 200;

function server(name: string, role: Role, state: DeclaredServer['state'] = 'active') {
  return { name, role, state, advertise: addressOf(name), labels: {}, reach: `unix:///${name}` };
}

const MANAGERS = ['s1', 's2', 's3'].map((name) => server(name, 'manager'));
const WORKERS = ['s4', 's5'].map((name) => server(name, 'worker'));
const ALL = [...MANAGERS, ...WORKERS];

/** The kinds of the steps with each server, as they were told before the first and as they were then done. */
function compare(fleet: Fleet, declared: readonly DeclaredServer[]): object {
  const first = fleet.see(declared);
  const { servers } = reportServers(declared, first, decideServers(declared, first));
  const told = servers.flatMap(({ name, pending }) =>
    pending === undefined ? [] : [[name, [pending.step, ...(pending.after ?? [])]] as const],
  );
  return { told: Object.fromEntries(told), done: settle(fleet, declared) };
}

function settle(fleet: Fleet, declared: readonly DeclaredServer[]): Record<string, string[]> {
  const done: Record<string, string[]> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    const step = nextStep(decideServers(declared, fleet.see(declared)));
    if (step === undefined) fleet.pass(ROUND_MS);
    else {
      fleet.carryOut(step);
      done[step.server] = [...new Set([...(done[step.server] ?? []), step.kind])];
    }
  }
  return done;
}

function settled(declared: readonly DeclaredServer[]): Fleet {
  const fleet = new Fleet();
  settle(fleet, declared);
  return fleet;
}

it.each<{
  about: string;
  before: DeclaredServer[];
  after: DeclaredServer[];
  done: Record<string, string[]>;
}>([
  {
    about: 'a new fleet',
    before: [],
    after: ALL,
    done: {
      s1: ['init', 'label'],
      s2: ['join', 'label', 'promote'],
      s3: ['join', 'label', 'promote'],
      s4: ['join', 'label'],
      s5: ['join', 'label'],
    },
  },
  {
    about: 'a worker that was deleted',
    before: ALL,
    after: ALL.slice(0, -1),
    done: { s5: ['pause', 'drain', 'leave', 'remove'] },
  },
  {
    about: 'a worker that is drained',
    before: ALL,
    after: [...ALL.slice(0, -1), server('s5', 'worker', 'drain')],
    done: { s5: ['pause', 'drain'] },
  },
  {
    about: 'a manager that comes in place of another',
    before: ALL,
    after: [...ALL.slice(1), server('s6', 'manager')],
    done: { s1: ['drain', 'demote', 'leave', 'remove'], s6: ['join', 'label', 'promote'] },
  },
])('foresees what is done with $about', ({ before, after, done }) => {
  expect(compare(settled(before), after)).toEqual({ told: done, done });
});
