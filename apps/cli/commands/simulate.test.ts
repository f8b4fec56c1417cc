import { afterEach, expect, it } from 'vitest';
import type { LossAnswer } from '#core/api/fleet.ts';
import { openFakeWorld } from '../fake-world.ts';
import type { FakeWorld } from '../fake-world.ts';

const GIB = 2 ** 30;
const full = 'port tcp/80 is taken';
const LOSS: LossAnswer = {
  lost: [
    { server: 's1', role: 'manager', isDown: false, isLeader: true },
    { server: 's4', role: 'worker', isDown: true, isLeader: false },
  ],
  quorum: { managers: 3, needed: 2, before: 3, after: 2, holds: true },
  services: [
    { service: 'agent', kind: 'global', tasks: 4, unharmed: 2, moves: [], stuck: [] },
    {
      service: 'Deployment/default/web',
      owner: 'shop/here',
      kind: 'replicated',
      tasks: 4,
      unharmed: 0,
      moves: [
        { slot: '1', from: 's1', to: 's2' },
        { slot: '2', from: 's1', to: 's2' },
      ],
      stuck: ['3', '4'].map((slot) => ({
        slot,
        from: 's4',
        why: [
          { server: 's2', why: full },
          { server: 's3', why: full },
        ],
      })),
    },
  ],
  servers: [
    {
      server: 's2',
      tasks: { before: 1, after: 3 },
      free: { nanoCpus: 1_500_000_000, memoryBytes: 2 * GIB },
    },
  ],
};

let world: FakeWorld | undefined;
afterEach(async () => {
  await world?.close();
});

async function simulate(loss: LossAnswer): Promise<{ code: number; out: string[] }> {
  world = await openFakeWorld({ 'GET /api/v1/clusters/here/simulate?lose=s1%2Cs4': loss });
  return world.run('simulate', 'here', '--lose', 's1', 's4');
}

it('tells what would move, what would not, and why', async () => {
  expect(await simulate(LOSS)).toMatchObject({
    code: 2,
    out: [
      'without s1 (the leader), s4 (worker, down already):',
      'quorum holds: 2 of 3 managers answer, 2 are needed',
      '',
      'agent: goes with its servers, 2 of 4 go on',
      '',
      'Deployment/default/web of shop/here: none of its tasks goes on',
      '  s1 → s2: 2',
      '  s4 → nowhere: 2',
      '    s2, s3: port tcp/80 is taken',
      '',
      'SERVER  TASKS NOW  THEN  FREE THEN',
      's2      1          3     1.5 CPUs, 2.1 GB',
      '',
      'An estimate: where servers are alike, Swarm takes any of them.',
    ],
  });
});

it('says that nothing is moved without quorum', async () => {
  const { code, out } = await simulate({
    ...LOSS,
    quorum: { ...LOSS.quorum, after: 1, holds: false },
    services: [],
  });
  expect(code).toBe(2);
  expect(out[1]).toBe(
    'quorum is lost: 1 of 3 managers answer, 2 are needed; nothing is moved, what runs elsewhere goes on',
  );
});

it('ends well where all of it would run again', async () => {
  expect(await simulate({ ...LOSS, services: [] })).toMatchObject({ code: 0 });
});
