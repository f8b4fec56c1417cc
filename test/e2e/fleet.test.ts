import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import type { ClusterView } from '#core/api/cluster.ts';
import type { EventLine } from '#core/api/event.ts';
import type { ProblemList } from '#core/api/problem.ts';
import { displayKey } from '#core/present/display.ts';
import { runCli } from '../support/cli.ts';
import { createRepository } from '../support/repository.ts';
import type { Repository } from '../support/repository.ts';
import { startFleet } from '../support/fleet.ts';
import type { Fleet } from '../support/fleet.ts';
import { waitUntil } from '../support/windlass.ts';

const NAMES = ['s1', 's2', 's3', 's4', 's5'];
const DOORS = { s3: 'ssh', s4: 'tls', s5: 'ssh' } as const;
const THREE = { s1: 'manager', s2: 'manager', s3: 'manager' };
const ALL = { ...THREE, s4: 'worker', s5: 'worker' };
const NODE_PORT = 31_790;
const HTTP_PORT = 80;
const HOST = 'shop.example.com';
const ANSWER_MS = 10_000;
/** Swarm takes its time to notice, and more where the machine has other things to do. */
const PATIENCE_MS = 120_000;
const PIPELINE = `
---
apiVersion: windlass.dev/v1
kind: Pipeline
metadata: { name: shop }
spec: { deploy: [{ cluster: fleet, manifests: deploy }] }
`;

interface SwarmSpec {
  CAConfig: { ForceRotate?: number };
  EncryptionConfig: { AutoLockManagers: boolean };
}

interface SwarmAnswer {
  Spec: SwarmSpec;
  Version: { Index: number };
}

/** Each pod says what it was released with, and goes on for so long once it is to end. */
function web(word: string, graceSeconds = 1): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 4
  strategy: { rollingUpdate: { maxSurge: 100% } }
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: ${graceSeconds}
      containers:
        - name: web
          image: busybox:1.36
          command: [sh, -c, "mkdir /www; echo ${word} > /www/page; exec httpd -f -p 8080 -h /www"]
          readinessProbe: { httpGet: { path: /page, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: ${NODE_PORT} }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec:
  rules:
    - host: ${HOST}
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] }
`;
}

describe.sequential('a fleet', { timeout: 600_000 }, () => {
  let fleet: Fleet;
  let repository: Repository;

  beforeAll(async () => {
    repository = await createRepository();
    fleet = await startFleet(NAMES, DOORS, { s1: 'manager' }, PIPELINE);
    const { url, token } = fleet.windlass;
    const remote = `${url.replace('//', `//dev:${token}@`)}/git/shop.git`;
    await repository.git('remote', 'add', 'windlass', remote);
  });
  afterAll(async () => {
    await fleet.stop();
    await repository.remove();
  });

  async function release(word: string, graceSeconds?: number): Promise<string> {
    await repository.commit({ 'deploy/web.yaml': web(word, graceSeconds) });
    const { output } = await repository.git('push', 'windlass', 'main');
    return output;
  }

  async function untilServing(): Promise<void> {
    await waitUntil(async () => {
      const path = '/api/v1/clusters/fleet/workloads';
      return (await fleet.windlass.get<ClusterView>(path)).owners[0]?.serving === true;
    }, 'all to serve');
  }

  async function stateOf(name: string): Promise<string | undefined> {
    return (await fleet.status()).servers.find((server) => server.name === name)?.state;
  }

  /** `Warning Server/s5 ServerNotReady down, after ready` */
  async function events(): Promise<string[]> {
    const { out } = await runCli(fleet.windlass, ['events', '--cluster', 'fleet', '--json']);
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EventLine)
      .map(({ type, resource = '', reason, message }) =>
        [type, displayKey(resource), reason, message].join(' '),
      );
  }

  async function problemOf(name: string): Promise<string> {
    const found = (await fleet.status()).servers.find((server) => server.name === name);
    return found?.problem ?? '';
  }

  /** Where what is known of its host key is read from. */
  function knownHostsOf(name: string): string {
    const said = fleet.server(name).reach.ssh?.knownHosts;
    if (said === undefined || !('file' in said)) throw new Error(`${name} is not reached by ssh`);
    return said.file;
  }

  /** As it is on the server's disk. */
  async function keyOf(name: string): Promise<string> {
    const folder = dirname(dirname(fleet.server(name).docker.replace('unix://', '')));
    return readFile(join(folder, 'data/swarm/certificates/swarm-node.key'), 'utf8');
  }

  function docker<T>(
    name: string,
    method: 'GET' | 'POST',
    path: string,
    body: object = {},
    query: Record<string, string | number | boolean> = {},
  ): Promise<T> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    return callDocker<T>(fleet.server(name).client, { method, path, query, body, signal });
  }

  /** Of the swarm itself. */
  async function change(to: (spec: SwarmSpec) => SwarmSpec, rotate = false): Promise<void> {
    const { Spec, Version } = await docker<SwarmAnswer>('s1', 'GET', '/swarm');
    const tokens = { rotateWorkerToken: rotate, rotateManagerToken: rotate };
    await docker('s1', 'POST', '/swarm/update', to(Spec), { version: Version.Index, ...tokens });
  }

  async function rotateTokensAndCa(): Promise<void> {
    await change((spec) => ({ ...spec, CAConfig: { ...spec.CAConfig, ForceRotate: 1 } }), true);
  }

  async function problems(): Promise<string> {
    const found = await fleet.windlass.get<ProblemList>('/api/v1/problems');
    return found.problems.map(({ message }) => message).join();
  }

  /** What the pods on the server were released with. */
  async function wordsOn(name: string): Promise<string[]> {
    const containers = await callDocker<{ Command: string }[]>(fleet.server(name).client, {
      method: 'GET',
      path: '/containers/json',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return containers.flatMap(({ Command }) => /echo (\w+) > \/www/.exec(Command)?.[1] ?? []);
  }

  it('begins with one server, which runs what is pushed', async () => {
    expect(await release('first')).toContain('DEPLOYED shop');
    expect(await fleet.ask('s1', NODE_PORT, '/page')).toBe('first');
  });

  it('becomes three managers and two workers by its file, and work moves to the workers', async () => {
    await fleet.declare(ALL);
    const { servers } = await fleet.untilAsDeclared();
    const running = servers.filter(({ runsApplications }) => runsApplications);
    expect(running.map(({ name }) => name)).toEqual(['s4', 's5']);
    await untilServing();
    for (const name of NAMES) {
      expect(await fleet.ask(name, NODE_PORT, '/page')).toBe('first');
      expect(await fleet.ask(name, HTTP_PORT, '/page', HOST)).toBe('first');
    }
  });

  it('refuses what Swarm cannot do, with its place, and goes on with what it has', async () => {
    const text = web('refused').replace(
      '    spec:\n',
      '    spec:\n      shareProcessNamespace: true\n',
    );
    await repository.commit({ 'deploy/web.yaml': text });
    const { code, output } = await repository.git('push', 'windlass', 'main');
    expect(output).toMatch(/deploy\/web\.yaml:11:\d+: .*shareProcessNamespace/);
    expect(output).toContain('FAILED shop');
    expect(code).toBe(0);
    for (const name of NAMES) expect(await fleet.ask(name, NODE_PORT, '/page')).toBe('first');
  });

  it('is released to while a worker is down, whose replicas run elsewhere, and cleans it up after', async () => {
    await fleet.server('s5').kill();
    expect(await release('second')).toContain('DEPLOYED shop');
    for (const name of ['s1', 's4'])
      expect(await fleet.ask(name, NODE_PORT, '/page')).toBe('second');
    await waitUntil(async () => (await stateOf('s5')) === 'down', 'the end of s5', PATIENCE_MS);
    await untilServing();
    const told = await events();
    expect(told).toContainEqual(expect.stringMatching(/Warning Server\/s5 ServerNotReady/));
    await fleet.server('s5').start();
    await fleet.untilAsDeclared();
    await waitUntil(
      async () => (await wordsOn('s5')).every((word) => word === 'second'),
      'no leftovers',
    );
    await waitUntil(
      async () => (await fleet.ask('s5', NODE_PORT, '/page')) === 'second',
      'its proxy',
    );
  });

  it('goes on when the leader is killed', async () => {
    const { servers } = await fleet.status();
    const leader = servers.find(({ isLeader }) => isLeader)?.name ?? '';
    await fleet.server(leader).kill();
    await waitUntil(async () => {
      const now = (await fleet.status()).servers.find(({ isLeader }) => isLeader)?.name;
      return now !== undefined && now !== leader;
    }, 'another leader');
    expect(await release('third')).toContain('DEPLOYED shop');
    await fleet.server(leader).start();
    await fleet.untilAsDeclared();
  });

  it('goes on when a manager is cut off, which follows once it is back', async () => {
    await fleet.server('s2').unplug();
    await waitUntil(async () => (await stateOf('s2')) === 'down', 'the cut', PATIENCE_MS);
    // They are the ones that are drained under load.
    expect(await release('fourth', 15)).toContain('DEPLOYED shop');
    await fleet.server('s2').plugIn();
    await fleet.untilAsDeclared();
    await waitUntil(
      async () => (await fleet.ask('s2', NODE_PORT, '/page')) === 'fourth',
      'its proxy',
    );
  });

  it('loses no request when a server is drained and removed, and when one is added', async () => {
    const { load, close } = await fleet.load('s1', NODE_PORT, '/page');
    await fleet.declare({ ...THREE, s4: 'worker' });
    await fleet.untilAsDeclared();
    const removed = load.take();
    await rotateTokensAndCa();
    await fleet.declare(ALL);
    await fleet.untilAsDeclared();
    expect(await release('fifth')).toContain('DEPLOYED shop');
    await waitUntil(async () => (await wordsOn('s5')).length > 0, 'work on s5', PATIENCE_MS);
    const added = await load.stop();
    await close();
    expect([removed.failures, added.failures]).toEqual([[], []]);
    expect(removed.answered).toBeGreaterThan(0);
    expect(added.bodies.get('fifth')).toBeGreaterThan(0);
    const told = await events();
    const done = told.filter((line) => line.includes('Server/s5'));
    for (const reason of ['Draining', 'Left', 'Removed', 'Joined'])
      expect(done).toContainEqual(expect.stringContaining(` ${reason} `));
  });

  it('waits for a manager that is locked, and has it back once it is unlocked', async () => {
    await change((spec) => ({ ...spec, EncryptionConfig: { AutoLockManagers: true } }));
    const { UnlockKey } = await docker<{ UnlockKey: string }>('s1', 'GET', '/swarm/unlockkey');
    await waitUntil(async () => (await keyOf('s2')).includes('ENCRYPTED'), 'its key', PATIENCE_MS);
    await fleet.server('s2').kill();
    await fleet.server('s2').start();
    await waitUntil(
      async () => (await problemOf('s2')).includes('its swarm is locked'),
      'the lock',
      PATIENCE_MS,
    );
    await docker('s2', 'POST', '/swarm/unlock', { UnlockKey });
    await fleet.untilAsDeclared();
    expect(await problemOf('s2')).toBe('');
    await change((spec) => ({ ...spec, EncryptionConfig: { AutoLockManagers: false } }));
  });

  it('refuses an even number of managers, and stays as it is', async () => {
    await fleet.declare({ ...ALL, s5: 'manager' });
    const problem = 'must have 1, 3, 5 or 7 managers, has 4';
    await waitUntil(async () => (await problems()).includes(problem), 'the refusal', PATIENCE_MS);
    expect((await fleet.status()).servers.find(({ name }) => name === 's5')?.role).toBe('worker');
    await fleet.declare(ALL);
    await waitUntil(async () => (await problems()) === '', 'its end', PATIENCE_MS);
  });

  it('says that quorum is lost, goes on serving, and is recovered by a word', async () => {
    const page = await fleet.ask('s1', NODE_PORT, '/page');
    await Promise.all([fleet.server('s2').kill(), fleet.server('s3').kill()]);
    const lost = 'quorum is lost: 1 of 3 managers answer, 2 are needed';
    async function isLost(): Promise<boolean> {
      return (await fleet.status()).problems.some((problem) => problem.startsWith(lost));
    }
    await waitUntil(isLost, 'the problem', PATIENCE_MS);
    expect(await fleet.ask('s1', NODE_PORT, '/page')).toBe(page);
    const args = ['servers', 'recover', 'fleet', '--from', 's1'];
    const told = await runCli(fleet.windlass, args);
    expect(told).toMatchObject({ code: 2, out: expect.stringContaining('--force-new-cluster') });
    expect(await isLost()).toBe(true);
    expect(await runCli(fleet.windlass, [...args, '--yes'])).toMatchObject({ code: 0 });
    await Promise.all([fleet.server('s2').start(), fleet.server('s3').start()]);
    await fleet.untilAsDeclared();
    expect(await release('sixth')).toContain('DEPLOYED shop');
  });

  it('tells of a server with another host key than is known, and has it back with the right one', async () => {
    await fleet.declare(ALL);
    await fleet.untilAsDeclared();
    const file = knownHostsOf('s5');
    const known = await readFile(file, 'utf8');
    const [, ...key] = (await readFile(knownHostsOf('s3'), 'utf8')).split(' ');
    await fleet.server('s5').kill();
    try {
      await writeFile(file, [fleet.server('s5').address, ...key].join(' '));
      await fleet.server('s5').start();
      await waitUntil(
        async () => (await problemOf('s5')).includes('is another than is known'),
        'distrust',
        PATIENCE_MS,
      );
    } finally {
      await writeFile(file, known);
    }
    await fleet.untilAsDeclared();
    expect(await problemOf('s5')).toBe('');
  });
});
