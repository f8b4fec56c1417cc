import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FleetView } from '#core/api/cluster.ts';
import { FAKE_NOW, openFakeWorld } from '../fake-world.ts';
import type { Answers, FakeWorld } from '../fake-world.ts';

const READY = {
  role: 'worker',
  declared: 'active',
  state: 'ready',
  availability: 'active',
  isReachable: true,
  isLeader: false,
  runsApplications: true,
  version: '20.10.24',
} as const;
const FLEET: FleetView = {
  servers: [
    { ...READY, name: 's1', address: '10.0.0.1', role: 'manager', isLeader: true },
    {
      ...READY,
      name: 's2',
      address: '10.0.0.2',
      availability: 'drain',
      waiting: '2 of its tasks do not run elsewhere yet',
    },
    {
      name: 's3',
      address: '10.0.0.3',
      role: 'worker',
      declared: 'active',
      state: 'out',
      isReachable: false,
      isLeader: false,
      runsApplications: false,
      problem: 'its Docker does not answer',
      pending: { step: 'join', reason: 'it is declared and in no swarm', held: 'it waits' },
    },
  ],
  problems: ['quorum is lost'],
};

let world: FakeWorld | undefined;
afterEach(async () => {
  await world?.close();
});

async function open(answers: Answers, files: Record<string, string> = {}): Promise<FakeWorld> {
  world = await openFakeWorld(answers);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(world.folder, path, '..'), { recursive: true });
    await writeFile(join(world.folder, path), text);
  }
  return world;
}

describe('servers', () => {
  it('tells how each is, and what is under way and why', async () => {
    const answer = { cluster: 'fleet', controller: 'w1', at: FAKE_NOW - 5_000, ...FLEET };
    const { run } = await open({ 'GET /api/v1/clusters/fleet/servers': answer });
    expect((await run('servers', 'fleet')).out).toEqual([
      'cluster fleet: seen 5s ago by w1',
      'SERVER  ADDRESS   ROLE              STATE  AVAILABILITY  APPLICATIONS  DOCKER',
      's1      10.0.0.1  manager (leader)  ready  active        yes           20.10.24',
      's2      10.0.0.2  worker            ready  drain         yes           20.10.24         2 of its tasks do not run elsewhere yet',
      's3      10.0.0.3  worker            out                  no            does not answer  its Docker does not answer',
      'quorum is lost',
    ]);
  });

  it('says so where nobody has looked yet', async () => {
    const answer = { cluster: 'fleet', servers: [], problems: [] };
    const { run } = await open({ 'GET /api/v1/clusters/fleet/servers': answer });
    expect((await run('servers', 'fleet')).out).toEqual([
      'fleet: no deploy worker has reported on it yet',
    ]);
  });

  it.each([
    { words: [], confirmed: false, code: 2, note: 'nothing was done: add --yes to do it' },
    { words: ['--yes'], confirmed: true, code: 0, note: 'done: fleet goes on with s1' },
  ])('recover $words asks with confirmed: $confirmed', async ({ words, confirmed, code, note }) => {
    const answer = { cluster: 'fleet', from: 's1', does: ['s1 goes on alone'], done: confirmed };
    const { run, asked } = await open({ 'POST /api/v1/clusters/fleet/servers/recover': answer });
    expect(await run('servers', 'recover', 'fleet', '--from', 's1', ...words)).toEqual({
      code,
      out: ['- s1 goes on alone'],
      notes: [note],
    });
    expect(asked.at(-1)).toContain(JSON.stringify({ from: 's1', confirmed }));
  });
});

describe('plan of a folder that declares servers', () => {
  const files = {
    'pipelines/fleet.yaml': `apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: fleet }
spec:
  engine: swarm
  servers: [{ name: s1, role: manager, advertise: 10.0.0.1, docker: "unix:///run/docker.sock" }]
`,
  };

  it('exits 2 and shows what would be done with them', async () => {
    const { run, asked } = await open({ 'POST /api/v1/clusters/fleet/servers/plan': FLEET }, files);
    expect(await run('plan')).toEqual({
      code: 2,
      out: [
        'servers of fleet: 1 step',
        '+ join Server/s3 (it is declared and in no swarm); waits: it waits',
        '    s3: its Docker does not answer',
        '    quorum is lost',
      ],
      notes: [],
    });
    expect(asked.at(-1)).toContain('"advertise":"10.0.0.1"');
  });

  it('says that a new cluster is not looked at yet', async () => {
    const { run } = await open({}, files);
    expect(await run('plan')).toMatchObject({
      code: 0,
      out: ['servers of fleet: a new cluster, whose servers are looked at once it is declared'],
    });
  });
});
