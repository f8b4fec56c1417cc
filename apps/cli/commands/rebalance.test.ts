import { afterEach, expect, it } from 'vitest';
import type { RebalancePlan } from '#core/api/fleet.ts';
import { openFakeWorld } from '../fake-world.ts';
import type { FakeWorld } from '../fake-world.ts';

const PLAN: RebalancePlan = {
  uneven: ['shop/here', 'blog/here'].map((owner) => ({
    service: `Deployment/${owner.split('/')[0]}/web`,
    owner,
    surplus: 2,
    before: { s1: 4, s10: 1 },
    after: { s1: 2, s2: 2, s10: 1 },
  })),
};
const PATH = '/api/v1/clusters/here/rebalance';
const CLUSTERS = {
  clusters: [
    {
      name: 'here',
      engine: 'swarm',
      declared: true,
      owners: [
        {
          owner: 'blog/here',
          release: 'r1',
          plan: [],
          held: [],
          resources: [],
          serving: true,
          overrides: [],
        },
      ],
      orphans: [],
    },
  ],
};

let world: FakeWorld | undefined;
afterEach(async () => {
  await world?.close();
});

async function open(plan: RebalancePlan): Promise<FakeWorld> {
  world = await openFakeWorld({
    [`GET ${PATH}`]: plan,
    [`POST ${PATH}`]: plan,
    'GET /api/v1/clusters': CLUSTERS,
  });
  return world;
}

it('tells what would be spread, and does nothing unasked', async () => {
  const { run, asked } = await open(PLAN);
  expect(await run('rebalance', 'here')).toEqual({
    code: 2,
    out: [
      'WORKLOAD             OF         NOW          THEN               MOVES',
      'Deployment/shop/web  shop/here  s1 4, s10 1  s1 2, s2 2, s10 1  2',
      'Deployment/blog/web  blog/here  s1 4, s10 1  s1 2, s2 2, s10 1  2',
    ],
    notes: ['nothing was done: add --yes to do it'],
  });
  expect(asked).toEqual([`GET ${PATH}`]);
});

it('does it for a deploy entry alone', async () => {
  const { run, asked } = await open(PLAN);
  const { code, out } = await run('rebalance', 'blog/here', '--yes', '--reason', 's2 is back');
  expect([code, out]).toEqual([0, [expect.anything(), expect.stringContaining('blog/here')]]);
  expect(asked.at(-1)).toBe(
    `POST ${PATH} {"services":["Deployment/blog/web"],"reason":"s2 is back"}`,
  );
});

it('has nothing to do where all is even', async () => {
  const { run, asked } = await open({ uneven: [] });
  expect(await run('rebalance', 'here', '--yes')).toMatchObject({
    code: 0,
    out: ['everything is spread evenly'],
  });
  expect(asked).toEqual([`GET ${PATH}`]);
});

it('knows no such deploy entry', async () => {
  const { run } = await open(PLAN);
  expect((await run('rebalance', 'none/here')).notes[0]).toContain('there is no deploy entry');
});
