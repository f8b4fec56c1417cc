import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterView } from '#core/api/cluster.ts';
import type { RunView } from '#core/api/run.ts';
import { FAKE_NOW, FAKE_TOKEN, openFakeWorld } from './fake-world.ts';
import type { Answers, AnswerItself, FakeWorld } from './fake-world.ts';

let world: FakeWorld | undefined;

async function open(answers: Answers = {}, files: Record<string, string> = {}): Promise<FakeWorld> {
  world = await openFakeWorld(answers);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(world.folder, path)), { recursive: true });
    await writeFile(join(world.folder, path), text);
  }
  return world;
}

afterEach(async () => {
  await world?.close();
  world = undefined;
});

const RUN: RunView = {
  id: '3f2a9c11',
  pipeline: 'hello',
  trigger: { kind: 'push', ref: 'refs/heads/main', after: 'a'.repeat(40), who: 'admin' },
  branch: 'main',
  commit: 'a'.repeat(40),
  subject: 'Greet',
  state: 'succeeded',
  createdAt: FAKE_NOW - 120_000,
  startedAt: FAKE_NOW - 110_000,
  endedAt: FAKE_NOW - 105_800,
  steps: [{ name: 'clone', state: 'succeeded', startedAt: FAKE_NOW - 500, endedAt: FAKE_NOW }],
  images: {},
  deploys: [
    {
      entry: 'local',
      cluster: 'local',
      release: 'b'.repeat(40),
      state: 'succeeded',
      plan: [{ action: 'create', key: 'Deployment/default/web', fields: [] }],
    },
  ],
  reason: '',
  attempt: 1,
  cancelRequested: false,
};
const FAILED: RunView = {
  ...RUN,
  id: '3f7b0000',
  state: 'failed',
  reason: 'build web: exit code 1',
};
const RUNS = { 'GET /api/v1/runs?limit=500': { runs: [RUN, FAILED] } };

const PIPELINES = {
  'GET /api/v1/pipelines': {
    pipelines: [
      {
        name: 'hello',
        spec: { deploy: [{ cluster: 'local', manifests: 'deploy/' }] },
        declaredIn: 'configuration',
      },
    ],
  },
};

describe('runs', () => {
  it('lists them', async () => {
    const { run } = await open({ 'GET /api/v1/runs?limit=20': { runs: [RUN] } });
    expect((await run('runs')).out).toEqual([
      'RUN       PIPELINE  BRANCH  COMMIT    STATE      TOOK  AGE  SUBJECT',
      '3f2a9c11  hello     main    aaaaaaaa  succeeded  4.2s  2m   Greet',
    ]);
  });

  it('prints one JSON document with --json', async () => {
    const { run } = await open({ 'GET /api/v1/runs?pipeline=hello&limit=5': { runs: [RUN] } });
    const { out } = await run('runs', '--pipeline', 'hello', '-n', '5', '--json');
    expect(out.map((line) => JSON.parse(line))).toEqual([{ runs: [RUN] }]);
  });
});

describe('run show', () => {
  it('tells steps, deploys and plan', async () => {
    const { run } = await open(RUNS);
    expect((await run('run', 'show', '3f2')).out).toEqual([
      'run 3f2a9c11 of hello, main at aaaaaaaa',
      '    Greet',
      'succeeded',
      '',
      'STEP   STATE      TOOK   DETAIL',
      'clone  succeeded  500ms',
      '',
      'local on local, release bbbbbbbb: succeeded',
      '  + create Deployment/default/web',
    ]);
  });

  it('keeps the lines of a reason', async () => {
    const run = { ...FAILED, reason: 'test web failed\n  no\u001B[2J', steps: [], deploys: [] };
    const { run: type } = await open({ 'GET /api/v1/runs?limit=500': { runs: [run] } });
    expect((await type('run', 'show', 'last')).out.slice(2, 4)).toEqual([
      'failed: test web failed',
      String.raw`      no\u001b[2J`,
    ]);
  });

  it('says when there are none', async () => {
    const { run } = await open({ 'GET /api/v1/runs?limit=500': { runs: [] } });
    expect((await run('run', 'show', 'last')).notes[0]).toBe('error: there are no runs yet');
  });

  it.each([
    {
      id: '9',
      notes: ['error: there is no run 9', 'hint: the newest are listed by `windlass runs`'],
    },
    {
      id: '3f',
      notes: [
        "error: 3f is the beginning of several runs' ids",
        'hint: type more of it: 3f2a9c11, 3f7b0000',
      ],
    },
  ])('says what is wrong with $id', async ({ id, notes }) => {
    const { run } = await open(RUNS);
    expect(await run('run', 'show', id)).toEqual({ code: 1, out: [], notes });
  });
});

describe('logs', () => {
  const line = { kind: 'log', at: FAKE_NOW, step: 'clone', line: 'Cloning' };

  it('follows a run to its end and exits 1 where it failed', async () => {
    const { run } = await open({
      ...RUNS,
      'GET /api/v1/runs/3f7b0000/logs?follow=1': [line, { kind: 'run', run: FAILED }],
    });
    expect(await run('logs', '3f7', '-f')).toEqual({
      code: 1,
      out: ['clone | Cloning', 'FAILED run 3f7b0000: build web: exit code 1'],
      notes: [],
    });
  });

  it('goes on where the server was away, without telling a line twice', async () => {
    const [first, second] = ['one', 'two'].map((text) => JSON.stringify({ ...line, line: text }));
    const answers: AnswerItself[] = [
      (response) => response.writeHead(200).write(`${first}\n`, () => response.destroy()),
      (response) => response.destroy(),
      (response) =>
        response.end(`${first}\n${second}\n${JSON.stringify({ kind: 'run', run: RUN })}\n`),
    ];
    const { run } = await open({
      ...RUNS,
      'GET /api/v1/runs/3f2a9c11/logs?follow=1': (response: ServerResponse) =>
        answers.shift()?.(response),
    });
    const { code, out } = await run('logs', 'last', '-f');
    expect({ code, lines: out.slice(0, 2) }).toEqual({
      code: 0,
      lines: ['clone | one', 'clone | two'],
    });
    expect(answers).toEqual([]);
  });

  it('does not wait for a server that never answered', async () => {
    const { run } = await open({
      ...RUNS,
      'GET /api/v1/runs/3f2a9c11/logs?follow=1': (response: ServerResponse) => response.destroy(),
    });
    expect((await run('logs', 'last', '-f')).notes[0]).toContain('cannot reach');
  });

  it('prints the log of the newest run', async () => {
    const { run } = await open({
      ...RUNS,
      'GET /api/v1/runs/3f2a9c11/logs': [line, { kind: 'run', run: RUN }],
    });
    expect(await run('logs', 'last')).toEqual({ code: 0, out: ['clone | Cloning'], notes: [] });
  });

  it.each(['deployment/web', 'deployments/web'])(
    'prints what %s prints, on the only cluster',
    async (workload) => {
      const path =
        'GET /api/v1/clusters/local/logs?workload=Deployment%2Fweb&namespace=shop&tail=5&follow=1';
      const { run } = await open({
        'GET /api/v1/clusters': {
          clusters: [{ name: 'local', engine: 'docker', declared: true, owners: [], orphans: [] }],
        },
        [path]: [{ pod: 'web-1', container: 'web', stream: 'stdout', line: 'hi' }],
      });
      const { out } = await run('logs', '-w', workload, '-n', 'shop', '-f', '--tail', '5');
      expect(out).toEqual(['web-1 web | hi']);
    },
  );

  it('wants either a run or a workload', async () => {
    const { run } = await open();
    expect((await run('logs')).notes[0]).toBe('error: name either a run or, with -w, a workload');
    expect((await run('logs', '-w', 'web')).notes[0]).toContain(
      'Write kind and name, e.g. deployment/web.',
    );
  });
});

describe('status', () => {
  const cluster: ClusterView = {
    name: 'local',
    engine: 'docker',
    controller: 'worker-1',
    at: FAKE_NOW - 3_000,
    declared: true,
    orphans: [],
    owners: [
      {
        owner: 'hello/local',
        release: 'b'.repeat(40),
        plan: [],
        held: [],
        overrides: [],
        serving: false,
        failure: 'web crashes',
        resources: [
          {
            key: 'Deployment/default/web',
            health: { status: 'Degraded', reason: 'CrashLoopBackOff' },
            summary: '0 of 1 ready',
            pods: [
              {
                name: 'web-1',
                namespace: 'default',
                owner: 'Deployment/default/web',
                ready: false,
                createdAt: FAKE_NOW,
                containers: [
                  {
                    name: 'web',
                    image: 'web',
                    state: 'waiting',
                    ready: false,
                    restarts: 3,
                    reason: 'CrashLoopBackOff',
                    exitCode: 1,
                  },
                ],
              },
            ],
          },
          {
            key: 'Pod/default/job',
            health: { status: 'Degraded', reason: 'pod job: DeadlineExceeded' },
            summary: 'Failed',
            pods: [
              {
                name: 'job',
                namespace: 'default',
                owner: 'Pod/default/job',
                phase: 'Failed',
                reason: 'DeadlineExceeded',
                ready: false,
                createdAt: FAKE_NOW,
                containers: [
                  {
                    name: 'job',
                    image: 'job',
                    state: 'terminated',
                    ready: false,
                    restarts: 0,
                    reason: 'Error',
                    exitCode: 137,
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  };

  it('tells resources with health, and pods', async () => {
    const { run } = await open({
      'GET /api/v1/clusters/local/workloads': cluster,
      'GET /api/v1/problems': { problems: [] },
    });
    expect((await run('status', 'local')).out).toEqual([
      'cluster local (docker): seen 3s ago by worker-1',
      '',
      'hello/local release bbbbbbbb: web crashes',
      '  RESOURCE                HEALTH',
      '  Deployment/default/web  Degraded          0 of 1 ready: CrashLoopBackOff',
      '    web-1                 not ready         web CrashLoopBackOff, exit code 1, 3 restarts',
      '  Pod/default/job         Degraded          Failed: pod job: DeadlineExceeded',
      '    job                   DeadlineExceeded  job Error, exit code 137',
    ]);
  });
});

it('tells with the status what is wrong with what is declared', async () => {
  const since = FAKE_NOW - 180_000;
  const problems = [
    { of: 'configuration', message: 'pipelines/a.yaml:3:1: unknown key', since },
    { of: 'source', pipeline: 'shop', message: 'https://forge/shop refused', since },
    { of: 'declaration', pipeline: 'blog', message: 'spec.images: must be a list', since },
  ];
  const { run } = await open({
    'GET /api/v1/clusters': { clusters: [] },
    'GET /api/v1/problems': { problems },
  });
  expect((await run('status')).out).toEqual([
    'the newest configuration is not in force for 3m: pipelines/a.yaml:3:1: unknown key',
    'the source of shop cannot be looked at for 3m: https://forge/shop refused',
    'what the repository of blog declares is not in force for 3m: spec.images: must be a list',
    '',
    'no clusters are declared',
  ]);
  const { out } = await run('status', '--json');
  expect(JSON.parse(out.join(''))).toEqual({ clusters: [], problems });
});

describe('what changes runs', () => {
  it('cancels', async () => {
    const running = { ...RUN, state: 'running', cancelRequested: true };
    const { run } = await open({ ...RUNS, 'POST /api/v1/runs/3f2a9c11/cancel': running });
    expect((await run('cancel', '3f2')).out).toEqual(['run 3f2a9c11 is being cancelled']);
  });

  it('retries and tells how to follow', async () => {
    const again = { ...RUN, id: 'c0ffee', state: 'queued' };
    const { run } = await open({ ...RUNS, 'POST /api/v1/runs/3f7b0000/retry': again });
    expect(await run('retry', '3f7')).toEqual({
      code: 0,
      out: ['run c0ffee has begun'],
      notes: ['follow it: windlass logs c0ffee -f'],
    });
  });

  it('rolls back to an abbreviated release of the only entry', async () => {
    const release = {
      commit: 'd'.repeat(40),
      pipeline: 'hello',
      entry: 'local',
      source: 'a'.repeat(40),
      subject: 'Greet',
      author: 'admin',
      at: FAKE_NOW - 60_000,
      healthy: true,
    };
    const { run, asked } = await open({
      ...PIPELINES,
      'GET /api/v1/releases/hello/local?limit=500': { releases: [release] },
      'POST /api/v1/rollback': { ...RUN, id: 'c0ffee' },
    });
    expect((await run('rollback', 'hello', '--to', 'ddd')).code).toBe(0);
    expect(asked.at(-1)).toBe(
      `POST /api/v1/rollback {"pipeline":"hello","entry":"local","to":"${release.commit}"}`,
    );
  });

  it('suggests the pipeline that was meant', async () => {
    const { run } = await open(PIPELINES);
    expect((await run('rollback', 'helo')).notes).toEqual([
      'error: there is no pipeline helo',
      'hint: did you mean hello?',
    ]);
  });
});

const PIPELINE = `apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: hello }
spec:
  images: [{ name: web }]
  deploy: [{ cluster: local, manifests: deploy }]
`;
const CONFIG_MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { x: z }\n';

describe('plan', () => {
  const files = { 'pipelines/hello.yaml': PIPELINE, 'deploy/a.yaml': CONFIG_MAP };

  it('exits 2 and shows the changes', async () => {
    const plan = [
      {
        action: 'update',
        key: 'ConfigMap/default/a',
        fields: [{ path: 'data.x', current: 'z', desired: 'y' }],
      },
    ];
    const { run, asked } = await open(
      { 'POST /api/v1/plan': { entry: 'local', cluster: 'local', plan } },
      files,
    );
    expect(await run('plan')).toEqual({
      code: 2,
      out: ['local on local: 1 to update', '~ update ConfigMap/default/a', '    data.x: z -> y'],
      notes: [],
    });
    const body: unknown = JSON.parse(asked[0]?.split('/plan ')[1] ?? '');
    expect(body).toEqual({
      pipeline: 'hello',
      entry: 'local',
      cluster: 'local',
      images: ['web'],
      manifests: { 'deploy/a.yaml': CONFIG_MAP },
    });
  });

  it('exits 0 without changes', async () => {
    const { run } = await open(
      { 'POST /api/v1/plan': { entry: 'local', cluster: 'local', plan: [] } },
      files,
    );
    expect(await run('plan', '--json')).toEqual({
      code: 0,
      out: ['{"plans":[{"entry":"local","cluster":"local","plan":[]}]}'],
      notes: [],
    });
  });

  it('exits 1 on errors', async () => {
    const { run } = await open({}, files);
    expect((await run('plan')).code).toBe(1);
    expect((await run('plan', '--entry', 'locl')).notes).toEqual([
      'error: there is no deploy entry locl',
      'hint: did you mean local?',
    ]);
  });
});

function deployment(replicas: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  ${replicas}: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web }] }
`;
}

describe('validate', () => {
  it('prints problems as compilers do and exits 1', async () => {
    const { run } = await open(
      {},
      {
        'pipelines/hello.yaml': PIPELINE.replace('images', 'imagse'),
        'deploy/a.yaml': 'a: 1\na: 2',
      },
    );
    expect(await run('validate', 'pipelines', 'deploy')).toMatchObject({
      code: 1,
      out: [
        'pipelines/hello.yaml:5:3: spec.imagse: unknown key (did you mean images?)',
        'deploy/a.yaml:2:1: duplicate key a, first on line 1',
      ],
    });
  });

  it('checks the manifests that pipelines name', async () => {
    const { run } = await open(
      {},
      { 'pipelines/hello.yaml': PIPELINE, 'deploy/sub/a.yaml': CONFIG_MAP },
    );
    expect(await run('validate')).toEqual({
      code: 0,
      out: ['valid: 2 files'],
      notes: [
        'note: no Cluster is declared here: names of clusters are checked by the server, and manifests as for engine docker',
      ],
    });
  });

  it('checks what the docker engine runs, each deploy entry by itself', async () => {
    const { run } = await open(
      {},
      {
        'pipelines/hello.yaml': PIPELINE.replace(
          'deploy: [{ cluster: local, manifests: deploy }]',
          'deploy: [{ cluster: a, manifests: deploy/a }, { cluster: b, manifests: ./deploy/b }]',
        ),
        'deploy/a/web.yaml': deployment('replicas'),
        'deploy/b/web.yaml': deployment('replica'),
      },
    );
    expect((await run('validate', '.')).out).toEqual([
      'deploy/b/web.yaml:5:3: spec.replica: Kubernetes has no such field (did you mean replicas?)',
    ]);
  });

  it('says where there is nothing', async () => {
    const { run } = await open();
    expect((await run('validate', 'nope')).notes[0]).toBe('error: nope is not there');
  });
});

describe('login', () => {
  it('keeps the token where only its owner can read it', async () => {
    const { run, url, folder } = await open({ 'GET /api/v1/runs?limit=1': { runs: [] } });
    const { code } = await run('login', `${url}/`);
    const file = join(folder, 'config', 'config.json');
    expect(code).toBe(0);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ url, token: FAKE_TOKEN });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('keeps nothing where the token is refused', async () => {
    const { run, url } = await open();
    expect(await run('login', url, '--token', 'wrong')).toEqual({
      code: 1,
      out: [],
      notes: ['error: the token is not valid', `hint: log in again: windlass login ${url}`],
    });
  });

  it('says when nothing listens', async () => {
    const { run } = await open();
    expect((await run('login', 'http://127.0.0.1:9')).notes[0]).toBe(
      'error: cannot reach http://127.0.0.1:9: nothing listens there',
    );
  });
});

describe('help and mistakes', () => {
  it.each([
    ['login'],
    ['init'],
    ['validate'],
    ['plan'],
    ['runs'],
    ['run'],
    ['run', 'show'],
    ['logs'],
    ['status'],
    ['cancel'],
    ['retry'],
    ['rollback'],
    ['releases'],
  ])('shows an example of %s %s', async (...args) => {
    const { run } = await open();
    const { code, out } = await run(...args, '--help');
    expect(code).toBe(0);
    expect(out.join('\n')).toContain('Example:\n  $ windlass');
  });

  it('suggests the command that was meant', async () => {
    const { run } = await open();
    const { code, notes } = await run('rnus');
    expect(code).toBe(1);
    expect(notes.join('\n')).toContain('Did you mean runs?');
  });

  it('tells errors as JSON with --json', async () => {
    const { run } = await open();
    const { notes } = await run('runs', '--json');
    expect(JSON.parse(notes[0] ?? '')).toMatchObject({ error: { code: 'not-found' } });
  });
});
