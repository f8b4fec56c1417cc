import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterView } from '#core/api/cluster.ts';
import type { WhyAnswer } from '#core/api/why.ts';
import { FAKE_NOW, openFakeWorld } from './fake-world.ts';
import type { Answers, FakeWorld } from './fake-world.ts';

const SHOP = {
  pipelines: [
    {
      name: 'shop',
      declaredIn: 'configuration',
      spec: {
        source: { branches: ['main'] },
        images: [],
        deploy: [{ cluster: 'here', manifests: 'deploy', allowEmpty: false }],
        timeoutSeconds: 60,
      },
    },
  ],
};
const note = { who: 'ada', at: FAKE_NOW - 60_000 };
const COMMIT = 'a'.repeat(40);
const SOURCE = 'b'.repeat(40);
const held = [
  { action: 'delete' as const, key: 'ConfigMap/default/a', fields: [], reason: 'waits' },
];
const HERE: ClusterView = {
  name: 'here',
  engine: 'docker',
  controller: 'w1',
  at: FAKE_NOW,
  declared: true,
  owners: [
    {
      owner: 'shop/here',
      release: COMMIT,
      plan: [],
      held,
      resources: [],
      serving: true,
      suspended: { ...note, reason: 'a look' },
      overrides: [
        {
          kind: 'scale',
          ...note,
          resource: 'Deployment/default/web',
          replicas: 5,
          released: 2,
          until: 0,
        },
      ],
    },
  ],
  orphans: [{ owner: 'blog/here', resources: ['Service/default/blog'], pods: 2 }],
};

let world: FakeWorld | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

async function open(answers: Answers): Promise<FakeWorld> {
  world = await openFakeWorld({
    'GET /api/v1/pipelines': SHOP,
    'GET /api/v1/clusters': { clusters: [HERE] },
    'GET /api/v1/problems': { problems: [] },
    ...answers,
  });
  return world;
}

const done = { owner: 'shop/here', byHand: {} };

describe('status', () => {
  it('tells what was done by hand, what waits, and what nobody declares any more', async () => {
    const { run } = await open({});
    expect((await run('status')).out).toEqual([
      'cluster here (docker): seen 0s ago by w1',
      '',
      'shop/here release aaaaaaaa: Suspended by ada 1m ago: a look',
      '  Deployment/default/web scaled from 2 to 5 by ada until 1970-01-01T00:00:00Z or the next release',
      '  1 deletion waits for a confirmation: windlass confirm shop here',
      '  - delete ConfigMap/default/a (waits)',
      '',
      'blog/here orphaned: not declared here any more; 1 resource, 2 pods',
      '  Service/default/blog',
      '  remove it: windlass delete blog here --cascade',
    ]);
  });
});

describe('what is done by hand', () => {
  it.each([
    {
      args: ['suspend', 'shop', '--reason', 'a look'],
      asked: 'POST /api/v1/entries/shop/here/suspend {"reason":"a look"}',
      out: 'shop/here is suspended; what runs goes on',
    },
    {
      args: ['open', 'shop', '--for', '30m', '--reason', 'a fix'],
      asked: 'POST /api/v1/entries/shop/here/open {"forSeconds":1800,"reason":"a fix"}',
      out: `deploys of shop/here may begin until ${new Date(FAKE_NOW).toISOString().replace(/:\d+\.\d+Z$/, 'Z')}`,
    },
    {
      args: ['resume', 'shop', 'here'],
      asked: 'POST /api/v1/entries/shop/here/resume {}',
      out: 'shop/here is kept as released again',
    },
    {
      args: ['restart', 'deployment/web', '-n', 'shop'],
      asked: 'POST /api/v1/clusters/here/restart {"workload":"Deployment/web","namespace":"shop"}',
      out: 'Deployment/web of shop/here is being restarted',
    },
    {
      args: ['scale', 'deployment/web=5', '--for', '1h30m'],
      asked:
        'POST /api/v1/clusters/here/scale {"workload":"Deployment/web","namespace":"default","replicas":5,"forSeconds":5400}',
      out: 'Deployment/web of shop/here has as many replicas as in git',
    },
    {
      args: ['confirm', 'shop'],
      asked: `POST /api/v1/entries/shop/here/confirm {"release":"${COMMIT}"}`,
      out: 'release aaaaaaaa of shop/here may delete:',
    },
  ])('asks for $args.0', async ({ args, asked, out }) => {
    const path = asked.split(' ').slice(0, 2).join(' ');
    const fake = await open({ [path]: done });
    expect((await fake.run(...args)).out[0]).toBe(out);
    expect(fake.asked).toContain(asked);
    expect(JSON.parse((await fake.run(...args, '--json')).out[0] ?? '')).toMatchObject(done);
  });

  it('tells what scales a workload otherwise', async () => {
    const autoscaler = 'HorizontalPodAutoscaler/default/web';
    const path = 'POST /api/v1/clusters/here/scale';
    const scaled = [
      { resource: 'Deployment/default/web', replicas: 5, until: 0, release: 'r', who: 'a', at: 0 },
    ];
    const held = await open({ [path]: { ...done, byHand: { scaled }, autoscaler } });
    expect((await held.run('scale', 'deployment/web=5')).out[0]).toBe(
      `Deployment/web of shop/here has 5 replicas until 1970-01-01T00:00Z or the next release, instead of as ${autoscaler} decides`,
    );
    await held.close();
    const ended = await open({ [path]: { ...done, autoscaler } });
    expect((await ended.run('scale', 'deployment/web')).out[0]).toBe(
      `Deployment/web of shop/here has as many replicas as ${autoscaler} decides`,
    );
  });

  it.each([
    ['scale', 'deployment/web=many', 'Write e.g. deployment/web=5.'],
    ['scale', 'web=5', 'Write kind and name, e.g. deployment/web.'],
    ['port-forward', 'deployment/web', 'http', 'http is no pair of ports, such as 8080:80.'],
  ])('says what is wrong: %s %s', async (...words) => {
    const { run } = await open({});
    const { code, notes } = await run(...words.slice(0, -1));
    expect(code).toBe(1);
    expect(notes[0]).toContain(words.at(-1));
  });

  it('removes nothing without --cascade, and says so by its exit code', async () => {
    const deleted = [
      { owner: 'blog/here', cluster: 'here', resources: ['Service/default/blog'], pods: 2 },
    ];
    const { run } = await open({
      'POST /api/v1/pipelines/blog/delete': { deleted, cascade: false },
    });
    expect(await run('delete', 'blog')).toEqual({
      code: 2,
      out: [
        'blog/here would be removed from cluster here, with its pods (2):',
        '- Service/default/blog',
      ],
      notes: ['nothing was removed: add --cascade to do it'],
    });
  });
});

describe('events', () => {
  it('are a line each, newest last, of all clusters together', async () => {
    const event = {
      at: Date.UTC(2026, 0, 2, 3, 4, 5),
      type: 'Warning',
      owner: 'shop/here',
      resource: 'Deployment/default/web',
      pod: 'web-0',
      reason: 'Restarted',
      message: 'container web\u001B[2J',
    };
    const { run } = await open({
      'GET /api/v1/clusters/here/events?owner=shop&namespace=default&limit=50': [event],
    });
    expect((await run('events', 'shop')).out).toEqual([
      '2026-01-02 03:04:05Z shop/here Deployment/default/web web-0 Restarted container web\\u001b[2J',
    ]);
  });
});

describe('why', () => {
  const answer: WhyAnswer = {
    cluster: 'here',
    container: {
      id: 'c'.repeat(64),
      name: 'default.web-0.web.here-1',
      image: 'web@sha256:1',
      state: 'running',
      createdAt: FAKE_NOW - 5_000,
      role: 'container',
      owner: 'shop/here',
      resource: 'Deployment/default/web',
      pod: 'web-0',
    },
    declared: true,
    head: COMMIT,
    byHand: [],
    release: {
      commit: COMMIT,
      subject: 'Greet',
      author: 'Ada <ada@example.invalid>',
      at: FAKE_NOW - 7_200_000,
      source: SOURCE,
      sourceRef: 'refs/heads/main',
      runId: 'r1',
      pushedBy: 'ada',
    },
  };

  it('goes from the container to the push, also where the run is forgotten', async () => {
    const { run } = await open({ 'GET /api/v1/why?container=ccc': answer });
    expect((await run('why', 'ccc')).out).toEqual([
      'container     cccccccccccc default.web-0.web.here-1: running, made 5s ago',
      'image         web@sha256:1',
      'pod           web-0',
      'workload      Deployment/default/web on cluster here',
      'deploy entry  shop/here',
      'release       aaaaaaaa (the newest), 2h ago: Greet',
      'run           r1',
      'commit        bbbbbbbb of main by Ada <ada@example.invalid>',
      'pushed by     ada',
    ]);
  });
});
