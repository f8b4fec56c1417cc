import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { runProgram } from '#adapters/debian/run-program.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { waitUntil } from '../support/windlass.ts';
import { findComposes } from '../tools/compose.ts';
import type { Compose } from '../tools/compose.ts';
import { startOwnDockerd } from '../tools/dockerd.ts';
import type { OwnDockerd } from '../tools/dockerd.ts';
import { buildLocalImages } from '../tools/local-images.ts';

const FILE = resolve('docker-compose.yml');
const URL = 'http://127.0.0.1:4380';
const PAGE = 'http://127.0.0.1:30080/';
const TIMEOUT_MS = 120_000;

const composes = await findComposes();

it('there is a Compose to try it with', () => {
  expect(composes.map(({ version }) => version)).not.toEqual([]);
});

let dockerd: OwnDockerd;
let repository: Repository;

beforeAll(async () => {
  dockerd = await startOwnDockerd(await mkdtemp(join(tmpdir(), 'windlass-compose-')));
  await buildLocalImages(dockerd.docker);
  repository = await createRepository();
  await cp('examples/hello', repository.folder, { recursive: true });
});
afterAll(async () => {
  await dockerd.stop();
  await repository.remove();
});

describe.sequential.each(composes)('docker-compose.yml with Compose $version', (compose) => {
  let token = '';

  afterAll(async () => {
    await up('down', '--volumes');
    await dockerd.removeContainers();
  });

  function up(...args: string[]): Promise<string> {
    return runCompose(compose, ...args);
  }

  function cli(...args: string[]): Promise<string> {
    return dockerd.run([process.execPath, 'apps/cli/main.ts', ...args], {
      environment: { WINDLASS_URL: URL, WINDLASS_TOKEN: token },
      timeoutMs: TIMEOUT_MS,
    });
  }

  async function workloads(): Promise<string[]> {
    const filters = JSON.stringify({ label: ['windlass.dev/role'] });
    const all = await callDocker<{ Id: string; Names: string[] }[]>(dockerd.docker, {
      method: 'GET',
      path: '/containers/json',
      query: { filters },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return all.map(({ Id, Names }) => `${Names[0]} ${Id}`).toSorted();
  }

  it('comes up, and takes a push to serving', async () => {
    await up('up', '-d');
    await waitUntil(
      async () => (await dockerd.ask(`${URL}/readyz`)) !== '',
      'the server',
      TIMEOUT_MS,
    );
    const tokens = await up('exec', '-T', 'server', 'cat', '/state/tokens.json');
    ({ admin: token } = JSON.parse(tokens) as { admin: string });
    await repository.commit({});
    const remote = `${URL.replace('//', `//dev:${token}@`)}/git/hello.git`;
    const git = ['git', 'push', '--quiet', remote, 'main'];
    await dockerd.run(git, { cwd: repository.folder, timeoutMs: TIMEOUT_MS });
    expect(await cli('status')).toContain('hello');
    expect(await dockerd.ask(PAGE)).toContain('Hello from Windlass');
  });

  it('comes back after it was taken down, and touches nothing that runs', async () => {
    const before = await workloads();
    await up('down');
    expect(await dockerd.ask(PAGE)).toContain('Hello from Windlass');
    await up('up', '-d');
    await waitUntil(
      async () => (await dockerd.ask(`${URL}/readyz`)) !== '',
      'the server',
      TIMEOUT_MS,
    );
    await waitUntil(
      async () => /Healthy/.test(await cli('status')),
      'a deploy worker that looks',
      TIMEOUT_MS,
    );
    expect(await cli('runs')).toContain('succeeded');
    expect(await workloads()).toEqual(before);
  });

  it('makes a backup as the documentation says', async () => {
    const backup = ['backup', '--state', '/state', '/tmp/b.tar.gz'];
    const program = ['node', 'apps/cli/windlass.mjs'];
    const made = await up('exec', '-T', 'server', ...program, ...backup);
    expect(made).toContain('/tmp/b.tar.gz');
  });
});

function runCompose({ command, args, environment }: Compose, ...words: string[]): Promise<string> {
  return runProgram({
    command,
    args: [...args, '--file', FILE, '--project-name', 'windlass', ...words],
    environment: { ...environment, DOCKER_HOST: `unix://${dockerd.socket}` },
    timeoutMs: TIMEOUT_MS,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}
