import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '#adapters/debian/run-program.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import { runCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { startWindlass, waitUntil } from '../support/windlass.ts';
import type { Windlass } from '../support/windlass.ts';
import { findComposes } from '../tools/compose.ts';
import type { Compose } from '../tools/compose.ts';
import { startLoad } from '../tools/load.ts';
import type { RunningLoad } from '../tools/load.ts';
import { freeNodePort } from '../tools/process.ts';

const CLUSTER = `
apiVersion: windlass.dev/v1
kind: Cluster
metadata: { name: here }
spec: { engine: docker, servers: [{ name: me, docker: "unix:///var/run/docker.sock" }] }
`;
const WEB_PORT = await freeNodePort();
const FRONT_PORT = await freeNodePort();
const TIMEOUT_MS = 120_000;
const id = randomBytes(3).toString('hex');
const WEB = `adopt-web-${id}`;
const PROJECT = `adopt${id}`;

/** `front` serves what it got from `data` by its name when it started; `data` keeps words in a volume. */
const COMPOSE_FILE = `
version: "3.3"
services:
  data:
    image: busybox:1.36
    command: sh -c 'test -f /words/index.html || echo "kept words" > /words/index.html; exec httpd -f -p 9000 -h /words'
    volumes: ["words:/words"]
    restart: always
    stop_grace_period: 1s
  front:
    image: busybox:1.36
    command: sh -c 'mkdir -p /www; until wget -q -O /www/index.html http://data:9000/; do sleep 0.2; done; exec httpd -f -p 8080 -h /www'
    ports: ["${FRONT_PORT}:8080"]
    restart: always
    stop_grace_period: 1s
volumes:
  words:
`;

describe.sequential('containers that somebody else made', () => {
  let windlass: Windlass;
  let repository: Repository;
  let compose: Compose;
  let folder = '';
  let before = '';
  const loads: RunningLoad[] = [];

  function run(command: string, ...args: string[]): Promise<string> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return runProgram({ command, args, timeoutMs: TIMEOUT_MS, signal });
  }

  function runCompose(...args: string[]): Promise<string> {
    const file = join(folder, 'docker-compose.yml');
    return runProgram({
      command: compose.command,
      args: [...compose.args, '-p', PROJECT, '-f', file, ...args],
      environment: compose.environment,
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  async function containersOf(service: string): Promise<string[]> {
    const labels = [
      `com.docker.compose.project=${PROJECT}`,
      `com.docker.compose.service=${service}`,
    ];
    const filters = labels.flatMap((label) => ['--filter', `label=${label}`]);
    const listed = await run('docker', 'ps', '--quiet', '--no-trunc', ...filters);
    return listed.trim().split('\n');
  }

  /** When each was started: the same as long as nobody touches them. */
  async function startsOfAll(): Promise<string> {
    const all = [WEB, ...(await containersOf('data')), ...(await containersOf('front'))];
    return run('docker', 'inspect', '--format', '{{.State.StartedAt}} {{.RestartCount}}', ...all);
  }

  async function page(port: number): Promise<string> {
    const init = { signal: AbortSignal.timeout(3_000), headers: { connection: 'close' } };
    return (await fetch(`http://127.0.0.1:${port}/`, init)).text();
  }

  beforeAll(async () => {
    const [first] = await findComposes();
    if (first === undefined) throw new Error('there is no Compose to try it with');
    compose = first;
    folder = await mkdtemp(join(tmpdir(), 'windlass-adopt-'));
    await writeFile(join(folder, 'docker-compose.yml'), COMPOSE_FILE);
    const serve = 'mkdir /www; echo "$GREETING" > /www/index.html; exec httpd -f -p 8080 -h /www';
    const options = [
      '--publish',
      `${WEB_PORT}:8080`,
      '--env',
      'GREETING=hello',
      '--stop-timeout',
      '1',
    ];
    const tmpfs = 'type=tmpfs,target=/scratch,tmpfs-size=1048576';
    options.push('--mount', tmpfs, '--group-add', '44', '--pids-limit', '100');
    const command = ['busybox:1.36', 'sh', '-c', serve];
    await run(
      'docker',
      'run',
      '--detach',
      '--restart',
      'always',
      '--name',
      WEB,
      ...options,
      ...command,
    );
    await runCompose('up', '-d');
    for (const port of [WEB_PORT, FRONT_PORT])
      await waitUntil(async () => (await page(port)) !== '', `what serves port ${port}`);
    windlass = await startWindlass(CLUSTER);
    repository = await createRepository();
    before = await startsOfAll();
    for (const port of [WEB_PORT, FRONT_PORT])
      loads.push(startLoad({ url: `http://127.0.0.1:${port}/`, clients: 4 }));
  });
  afterAll(async () => {
    await run('docker', 'rm', '--force', '--volumes', WEB);
    await runCompose('down', '--volumes');
    await windlass.stop();
    await repository.remove();
    await rm(folder, { recursive: true });
  });

  it('are written down as manifests, with what taking over would change, and not touched', async () => {
    const args = ['adopt', WEB, '--compose', PROJECT, '--pipeline', 'shop'];
    const { code, out, notes } = await runCli(windlass, args, { cwd: repository.folder });
    expect({ code, notes }).toEqual({ code: 0, notes: '' });
    expect(out).toContain('wrote pipelines/shop.yaml');
    expect(out).toContain('wrote deploy/data.yaml');
    expect(out).toContain(`Once Deployment ${WEB} serves, \`docker stop ${WEB}\``);
    expect(out).toMatch(/data takes the place of \S+\n[\s\S]*It has no replicas yet, since two/);
    for (const made of [`Deployment/default/${WEB}`, 'Service/default/front-public'])
      expect(out).toMatch(new RegExp(`\\+ (create )?${made}`));
    expect(out).toContain('--pids-limit 100 is not carried over');
    const web = await readFile(join(repository.folder, 'deploy', `${WEB}.yaml`), 'utf8');
    expect(web).toMatch(/medium: Memory\n\s+sizeLimit: "1048576"/);
    expect(web).toMatch(/mountPath: \/scratch/);
    expect(web).toMatch(/supplementalGroups:\n\s+- 44/);
    expect(await startsOfAll()).toBe(before);
    for (const load of loads) {
      const { answered, failures } = await load.stop();
      expect(failures).toEqual([]);
      expect(answered).toBeGreaterThan(0);
    }
  });

  it('are not written over, nor adopted twice', async () => {
    const again = await runCli(windlass, ['adopt', WEB], { cwd: repository.folder });
    expect(again.code).toBe(1);
    expect(again.notes).toMatch(/deploy\/adopt-web-\S+\.yaml is there already/);
    const unknown = await runCli(windlass, ['adopt', 'nobody'], { cwd: repository.folder });
    expect(unknown.notes).toMatch(/there is no container nobody/);
    await expect(stat(join(repository.folder, 'deploy', 'nobody.yaml'))).rejects.toThrow('ENOENT');
  });

  it('give way to what is deployed, which has their data, ports and names', async () => {
    const [data = ''] = await containersOf('data');
    const [front = ''] = await containersOf('front');
    await run('docker', 'stop', data);
    const file = join(repository.folder, 'deploy', 'data.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('replicas: 0', 'replicas: 1'));
    await repository.commit({});
    const url = windlass.url.replace('//', `//dev:${windlass.token}@`);
    await repository.git('remote', 'add', 'windlass', `${url}/git/shop.git`);
    const pushed = await repository.git('push', '-o', 'nowait', 'windlass', 'main');
    expect(pushed).toMatchObject({ code: 0 });
    const { id: runId } = await windlass.lastRun('shop');
    await waitUntil(() => areReady([WEB, 'front', 'data']), 'the new pods');
    expect(await page(FRONT_PORT)).toBe('kept words\n');
    await run('docker', 'stop', WEB, front);
    const ended = await windlass.runUntil(runId, ({ endedAt }) => endedAt !== undefined);
    expect(ended).toMatchObject({ state: 'succeeded', reason: '' });
    expect(await page(WEB_PORT)).toBe('hello\n');
    expect(await page(FRONT_PORT)).toBe('kept words\n');
    const ours = await runCli(windlass, ['adopt', `${WEB}`, '--folder', 'again'], {
      cwd: repository.folder,
    });
    expect(ours.notes).toMatch(/does not run \(exited\)/);
  });

  async function areReady(names: readonly string[]): Promise<boolean> {
    const { owners } = await windlass.get<ClusterView>('/api/v1/clusters/here/workloads');
    const resources = owners.flatMap((owner) => owner.resources);
    return names.every((name) =>
      resources.some(
        ({ key, replicas }) => key === `Deployment/default/${name}` && replicas?.ready === 1,
      ),
    );
  }
});
