import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideServers, nextStep } from './decide-servers.ts';
import { APPLICATIONS_LABEL, SERVER_LABEL } from './labels.ts';
import { consensusOf } from './quorum.ts';
import type { DeclaredServer, Seen, SeenNode } from './seen.ts';
import type { ServerStep } from './step.ts';
import { addressOf, Fleet } from './testing/fleet.ts';

const RUNS = Number(process.env['RUNS'] ?? 500);
const NAMES = ['s1', 's2', 's3', 's4', 's5', 's6', 's7'];
const ENOUGH_ROUNDS = 400;
const ROUND_MS = 20_000;

const declaration = fc
  .record({
    order: fc.shuffledSubarray(NAMES, { minLength: 1 }),
    managers: fc.constantFrom(1, 3, 5),
    states: fc.array(fc.constantFrom('active', 'active', 'active', 'drain', 'absent'), {
      minLength: NAMES.length,
      maxLength: NAMES.length,
    }),
  })
  .filter(({ order, managers }) => order.length >= managers)
  .map(({ order, managers, states }) =>
    order.map((name, index): DeclaredServer => ({
      name,
      role: index < managers ? 'manager' : 'worker',
      // What is to be a manager stays one: the file is refused otherwise.
      state:
        index < managers && states[index] === 'absent' ? 'active' : (states[index] ?? 'active'),
      advertise: addressOf(name),
      labels: { disk: name },
      reach: `unix:///${name}`,
    })),
  );

const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('work' as const), steps: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('declare' as const), to: declaration }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('kill', 'return', 'wipe', 'leave', 'join-half', 'promote-cut', 'stick'),
      name: fc.constantFrom(...NAMES),
    }),
  },
);

describe('decideServers, from any state that can be reached', () => {
  it('comes to what is declared once all machines are on, keeping quorum and places on the way', () => {
    fc.assert(
      fc.property(declaration, fc.array(event, { maxLength: 14 }), (first, events) => {
        const fleet = new Fleet();
        const declared = live(fleet, first, events);
        for (const machine of fleet.machines.values()) machine.isOn = true;
        expect(settle(fleet, declared)).toBeLessThan(ENOUGH_ROUNDS);
        expect({
          differences: differencesOf(fleet, declared),
          told: told(fleet, declared),
        }).toEqual({
          differences: [],
          told: expect.anything(),
        });
      }),
      { numRuns: RUNS },
    );
  });

  it('comes to rest with machines that stay dead', () => {
    fc.assert(
      fc.property(declaration, fc.array(event, { maxLength: 14 }), (first, events) => {
        const fleet = new Fleet();
        expect(settle(fleet, live(fleet, first, events))).toBeLessThan(ENOUGH_ROUNDS);
      }),
      { numRuns: RUNS },
    );
  });
});

function live(
  fleet: Fleet,
  first: DeclaredServer[],
  events: readonly (typeof event extends fc.Arbitrary<infer T> ? T : never)[],
): DeclaredServer[] {
  let declared = first;
  for (const happening of events) {
    if (happening.kind === 'declare') {
      if (isKnownTo(fleet, happening.to)) declared = happening.to;
    } else if (happening.kind === 'work')
      for (let n = 0; n < happening.steps; n += 1) round(fleet, declared, 1_000);
    else happen(fleet, happening.kind, happening.name);
  }
  return declared;
}

/** A file that names none of those that know of the swarm begins another: nothing could tell. */
function isKnownTo(fleet: Fleet, declared: readonly DeclaredServer[]): boolean {
  const members = fleet.nodes.filter(({ isMember }) => isMember);
  return (
    members.length === 0 ||
    members.some(({ machine }) => declared.some(({ name }) => name === machine))
  );
}

function happen(fleet: Fleet, kind: string, name: string): void {
  const machine = fleet.machine(name);
  const node = fleet.nodes.find(({ id }) => id === machine.nodeId);
  if (kind === 'kill') machine.isOn = false;
  else if (kind === 'return') machine.isOn = true;
  else if (kind === 'wipe') {
    if (fleet.canWipe(machine)) fleet.reset(machine);
  } else if (kind === 'leave') {
    if (node?.isMember === false) fleet.reset(machine);
  } else if (kind === 'join-half') {
    if (machine.membership === 'out' && fleet.nodes.length > 0) fleet.joinHalf(name);
  } else if (kind === 'promote-cut') {
    if (node?.isMember !== false) return;
    node.role = 'manager';
    machine.isOn = false;
  } else if (node?.isMember === false) {
    node.role = 'manager';
    node.changedAt = fleet.now;
  }
}

/** Answers whether anything was done, or goes on by itself. */
function round(fleet: Fleet, declared: readonly DeclaredServer[], ms: number): boolean {
  fleet.pass(ms);
  const seen = fleet.see(declared);
  const decision = decideServers(declared, seen);
  const step = nextStep(decision);
  if (step === undefined) return decision.waiting.length > 0;
  expect(dangersOf(step, seen, fleet)).toEqual([]);
  fleet.carryOut(step);
  return true;
}

/** Answers in how many rounds it came to rest. */
function settle(fleet: Fleet, declared: readonly DeclaredServer[]): number {
  let rounds = 0;
  let quiet = 0;
  while (quiet < 2 && rounds < ENOUGH_ROUNDS) {
    quiet = round(fleet, declared, ROUND_MS) ? 0 : quiet + 1;
    rounds += 1;
  }
  return rounds;
}

/** What a step must never do. */
function dangersOf(step: ServerStep, seen: Seen, fleet: Fleet): string[] {
  const nodes = seen.swarm?.nodes ?? [];
  const { nodeId } = fleet.machine(step.server);
  const own = nodes.find(({ id }) => id === nodeId);
  const isLosing =
    step.kind === 'demote' &&
    step.node.raft !== undefined &&
    !consensusOf(nodes.filter(({ id }) => id !== step.node.id)).hasQuorum;
  const isEmptying =
    step.kind === 'drain' &&
    step.node.tasks > 0 &&
    !nodes.some((node) => node.id !== step.node.id && isPlace(node) && node.state === 'ready');
  const isLedTo =
    step.kind === 'drain' &&
    step.node.tasks > 0 &&
    seen.leaving?.get(step.node.id)?.isLedTo === true;
  return [
    ...(isLosing ? ['quorum is lost'] : []),
    ...(step.kind === 'demote' && step.node.raft === undefined ? ['Docker refuses it'] : []),
    ...(isEmptying ? ['tasks have nowhere to go'] : []),
    ...(isLedTo ? ['proxies lead there'] : []),
    ...(step.kind === 'remove' && step.node.raft !== undefined ? ['a manager is removed'] : []),
    ...(step.kind === 'leave' && own?.raft !== undefined ? ['a manager leaves'] : []),
    ...(step.kind === 'clean' && own !== undefined ? ['a node forgets its swarm'] : []),
    ...(step.kind === 'init' && fleet.nodes.length > 0 ? ['there is a swarm already'] : []),
  ];
}

function isPlace({ availability, labels }: SeenNode): boolean {
  return availability === 'active' && labels[APPLICATIONS_LABEL] === 'true';
}

/** What is not as declared, though all machines are on. */
function differencesOf(fleet: Fleet, declared: readonly DeclaredServer[]): string[] {
  const seen = fleet.see(declared);
  // One that was away while every manager it knew was replaced cannot tell that the swarm is the one it was in.
  const { problems } = decideServers(declared, seen);
  const lost = problems.flatMap(({ kind, server }) => (kind === 'foreign' ? [server] : []));
  const wanted = declared.filter(({ state, name }) => state !== 'absent' && !lost.includes(name));
  const nodes = seen.swarm?.nodes ?? [];
  const held = decideServers(declared, seen).steps.map(({ kind, server }) => `${kind} ${server}`);
  // Where nothing may run anywhere else, what is to be drained or to go keeps what it has.
  const isExcused =
    lost.length > 0 ||
    (held.every((text) => text.startsWith('drain ')) && nodes.filter(isPlace).length <= 1);
  const gone = nodes.filter(
    ({ labels }) =>
      // One that joined and was taken out of the file before it had a label cannot be told from a stranger's.
      labels[SERVER_LABEL] !== undefined &&
      !wanted.some(({ name }) => name === labels[SERVER_LABEL]),
  );
  return [
    ...(held.length > 0 && !isExcused ? [`held: ${held.join(', ')}`] : []),
    ...(held.length > 0 ? [] : gone.map(({ hostname }) => `${hostname} is there still`)),
    ...wanted.flatMap(({ name, role, state }) => {
      const [node, ...more] = nodes.filter(({ labels }) => labels[SERVER_LABEL] === name);
      const isMember = node?.raft !== undefined;
      return [
        ...(more.length > 0 ? [`${name} is there twice`] : []),
        ...(node?.role === role && isMember === (role === 'manager')
          ? []
          : [`${name} is no ${role}`]),
        ...(node?.availability === state || held.includes(`drain ${name}`)
          ? []
          : [`${name} is not ${state}`]),
      ];
    }),
  ];
}

function told(fleet: Fleet, declared: readonly DeclaredServer[]): string {
  const seen = fleet.see(declared);
  return JSON.stringify({ declared, seen, decision: decideServers(declared, seen) }, null, 1);
}
