import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_TOKEN, openFakeWorld } from '../fake-world.ts';
import type { FakeWorld } from '../fake-world.ts';

const run = promisify(execFile);
const POD = { name: 'web-1', namespace: 'default', owner: 'shop/here', ready: true, createdAt: 0 };
const CONTAINER = { name: 'main', image: 'web', state: 'running', ready: true, restarts: 0 };
const ANSWERS = {
  'GET /api/v1/pipelines': {
    pipelines: ['shop', 'blog'].map((name) => ({
      name,
      declaredIn: 'configuration',
      spec: {
        source: { branches: ['main'] },
        images: [],
        deploy: [{ name: `${name}-live`, cluster: 'here', manifests: 'deploy', allowEmpty: false }],
        timeoutSeconds: 60,
      },
    })),
  },
  'GET /api/v1/clusters': {
    clusters: [
      {
        name: 'here',
        engine: 'docker',
        declared: true,
        orphans: [],
        owners: [
          {
            owner: 'shop/here',
            release: 'a',
            plan: [],
            held: [],
            serving: true,
            overrides: [],
            resources: [
              {
                key: 'Deployment/default/web',
                health: { status: 'Healthy', reason: '' },
                summary: '1 of 1 ready',
                pods: [{ ...POD, containers: [CONTAINER] }],
              },
              {
                key: 'ConfigMap/default/web',
                health: { status: 'Healthy', reason: '' },
                summary: '',
              },
            ],
          },
        ],
      },
    ],
  },
};

let world: FakeWorld;

beforeEach(async () => {
  world = await openFakeWorld(ANSWERS);
});
afterEach(() => world.close());

async function next(...words: string[]): Promise<string[]> {
  const { code, out } = await world.run('__complete', ...words);
  expect(code).toBe(0);
  return out.map((line) => line.split('\t')[0] ?? '');
}

describe('what may come next', () => {
  it.each([
    [['st'], ['status']],
    [['run', ''], ['show']],
    [
      ['token', 'reset', ''],
      ['admin', 'worker', 'metrics', 'all'],
    ],
    [['completion', 'z'], ['zsh']],
    [['runs', '--pi'], ['--pipeline']],
    [['runs', '-p', 'b'], ['blog']],
    [
      ['rollback', ''],
      ['shop', 'blog'],
    ],
    [['rollback', 'blog', ''], ['blog-live']],
    [['restart', 'd'], ['deployment/web']],
    [['exec', '--cluster', ''], ['here']],
    [['exec', '--cluster', 'here', 'deployment/web', '--con'], ['--container']],
    [['exec', '-c', ''], ['main']],
    [['events', 'sh'], ['shop/here']],
    [['why', 'm'], ['main']],
    [['backup', ''], []],
    [['nonsense', ''], []],
  ])('after %j is %j', async (words, expected) => {
    expect(await next(...words)).toEqual(expected);
  });

  it('is what every command has', async () => {
    expect(await next('logs', '--')).toContain('--help');
    expect((await next('')).length).toBeGreaterThan(20);
  });

  it('is no error where the server does not answer', async () => {
    const { code, out, notes } = await world.run('__complete', 'cancel', '');
    expect({ code, out, notes }).toEqual({ code: 0, out: [], notes: [] });
  });
});

it('comes to a person who presses a key in bash', async () => {
  const bin = join(world.folder, 'windlass');
  await writeFile(
    bin,
    `#!/bin/sh\nexec "${process.execPath}" "${resolve('apps/cli/windlass.mjs')}" "$@"\n`,
  );
  await chmod(bin, 0o755);
  const script = `source <(windlass completion bash)
COMP_WORDS=(windlass rollback sh)
COMP_CWORD=2
$(complete -p windlass | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['-c', script], {
    env: {
      PATH: `${world.folder}:${process.env['PATH']}`,
      HOME: world.folder,
      WINDLASS_URL: world.url,
      WINDLASS_TOKEN: FAKE_TOKEN,
    },
  });
  expect(stdout).toBe('shop\n');
});
