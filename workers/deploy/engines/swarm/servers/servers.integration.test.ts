import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callDocker } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import type { Probe } from '#core/docker/world.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import { probesMount } from '#core/swarm/health-check.ts';
import { probesVolume } from '#core/swarm/names.ts';
import { declaredServers } from '#core/swarm/servers/declared-servers.ts';
import { APPLICATIONS_LABEL } from '#core/swarm/servers/labels.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';
import type { Role } from '#core/swarm/servers/seen.ts';
import { createHarness } from '../../../../../test/harness/servers.ts';
import type { Harness } from '../../../../../test/harness/servers.ts';
import type { HarnessServer } from '../../../../../test/harness/server.ts';
import { createServerKeeper } from './keep-servers.ts';
import type { ServerKeeper } from './keep-servers.ts';

const SIGNAL = new AbortController().signal;
const BECOMES_MS = 150_000;
const TEST_MS = 400_000;
const REPLICAS = 4;
const { sandbox, probe } = SYSTEM_IMAGES;
const PLACE = { cluster: 'fleet', installation: 'test' };
const RENAMED = { first: 's1', other: 's5' };
const NAMES = ['s1', 's2', 's3', 's4', 's5'];

let harness: Harness;
let keeper: ServerKeeper | undefined;
const steps: string[] = [];

beforeAll(async () => {
  harness = await createHarness(NAMES);
  await Promise.all(harness.servers.map((server) => server.start()));
  await Promise.all(harness.servers.map((server) => server.load([sandbox, probe])));
});
afterAll(async () => {
  keeper?.close();
  await harness.stop();
});

describe('the servers of a swarm, as their file changes', { timeout: TEST_MS }, () => {
  it('begin with one manager that runs applications itself', async () => {
    declare({ s1: 'manager' });
    await untilAsDeclared();
    expect(steps).toEqual(['init s1', 'label s1']);
    expect(await applications()).toEqual({ s1: 'true' });
    await runService();
  });

  it('become three managers and two workers, where applications run on the workers', async () => {
    declare({ s1: 'manager', s2: 'manager', s3: 'manager', s4: 'worker', s5: 'worker' });
    const status = await untilAsDeclared();
    expect(status.servers.map(({ name, role, state }) => `${name} ${role} ${state}`)).toEqual([
      's1 manager ready',
      's2 manager ready',
      's3 manager ready',
      's4 worker ready',
      's5 worker ready',
    ]);
    expect(await applications()).toEqual({
      s1: 'false',
      s2: 'false',
      s3: 'false',
      s4: 'true',
      s5: 'true',
    });
    await untilTasksAt(['s4', 's5']);
    // The tasks found there what asks them.
    for (const name of ['s2', 's3', 's4', 's5'])
      expect(await statusOfProbes(name)).toMatch(/^Exited \(0\)/);
  });

  it('forget a worker that died and was taken out of the file', async () => {
    await server('s5').kill();
    await until(async () => (await statusOf('s5'))?.state, 'down');
    declare({ s1: 'manager', s2: 'manager', s3: 'manager', s4: 'worker' });
    const status = await untilAsDeclared();
    expect(steps).toEqual(['remove s5']);
    expect(status.servers.map(({ name }) => name)).toEqual(['s1', 's2', 's3', 's4']);
    await untilTasksAt(['s4']);
  });

  it('go on when the leader is killed, and it comes back as it was', async () => {
    steps.length = 0;
    const { status } = await keeperNow().look(SIGNAL);
    const leader = status.servers.find(({ isLeader }) => isLeader)?.name ?? '';
    await server(leader).kill();
    await until(async () => {
      const { servers } = (await keeperNow().look(SIGNAL)).status;
      return servers.some(({ isLeader, name }) => isLeader && name !== leader);
    }, true);
    const back = server(leader).start();
    await until(async () => (await statusOf(leader))?.isReachable, true);
    await back;
    await untilAsDeclared();
    expect(steps).toEqual([]);
  });

  it('clean one that comes back after it was removed, and take it in anew', async () => {
    await server('s5').start();
    const before = await probesMadeAt('s5');
    expect(before).toBeDefined();
    // Its line is gone, and so is its node.
    await until(async () => {
      await untilAsDeclared();
      return steps;
    }, ['clean s5']);
    const { Swarm } = await get<{ Swarm: { LocalNodeState: string } }>(
      server('s5').client,
      '/info',
    );
    expect(Swarm.LocalNodeState).toBe('inactive');
    expect(await probesMadeAt('s5')).toBeUndefined();
    declare({ s1: 'manager', s2: 'manager', s3: 'manager', s4: 'worker', s5: 'worker' });
    await untilAsDeclared();
    expect(steps).toEqual(['join s5', 'label s5']);
    // Nothing of before was left there.
    expect(await probesMadeAt('s5')).not.toBe(before);
  });

  it('take a worker out on which tasks are, and leave nothing of theirs there', async () => {
    expect(await volumesOf('s4')).toContain(probesVolume(PLACE));
    declare({ s1: 'manager', s2: 'manager', s3: 'manager', s5: 'worker' });
    await untilAsDeclared();
    expect(steps).toEqual(['drain s4', 'leave s4', 'remove s4']);
    expect(await volumesOf('s4')).not.toContain(probesVolume(PLACE));
    expect(await statusOfProbes('s4')).toBeUndefined();
    await untilTasksAt(['s5']);
  });

  it('drain, demote and remove a manager that another one replaces', async () => {
    declare({ s1: 'manager', s2: 'manager', s4: 'manager', s5: 'worker' });
    await untilAsDeclared();
    expect(steps.filter((step) => !step.startsWith('label'))).toEqual([
      'join s4',
      'promote s4',
      'drain s3',
      'demote s3',
      'leave s3',
      'remove s3',
    ]);
    const info = await get<{ Swarm: { LocalNodeState: string } }>(server('s3').client, '/info');
    expect(info.Swarm.LocalNodeState).toBe('inactive');
    await untilTasksAt(['s5']);
  });

  it('keep their place under another name', async () => {
    declare({ first: 'manager', s2: 'manager', s4: 'manager', other: 'worker' }, RENAMED);
    await untilAsDeclared();
    expect(steps.toSorted()).toEqual(['label first', 'label other']);
    declare({ s1: 'manager', s2: 'manager', s4: 'manager', s5: 'worker' });
    await untilAsDeclared();
    expect(steps.toSorted()).toEqual(['label s1', 'label s5']);
    await untilTasksAt(['s5']);
  });

  it('say that quorum is lost, and do nothing then', async () => {
    await Promise.all([server('s2').kill(), server('s4').kill()]);
    await until(async () => {
      const pass = await keeperNow().keep({}, SIGNAL);
      expect(pass.done).toEqual([]);
      return pass.status.problems.find((problem) => problem.includes('quorum is lost'));
    }, expect.stringContaining('1 of 3 managers answer, 2 are needed'));
  });

  it('are recovered from one manager when somebody says so', async () => {
    const recovery = await keeperNow().recover('s1', 'plan', SIGNAL);
    expect(recovery.does[0]).toContain('s1 becomes the only manager of the swarm');
    await expect(keeperNow().recover('s5', 'do', SIGNAL)).rejects.toThrow('is no manager');
    await keeperNow().recover('s1', 'do', SIGNAL);
    await until(async () => (await keeperNow().look(SIGNAL)).status.problems, []);
    await expect(keeperNow().recover('s1', 'do', SIGNAL)).rejects.toThrow('has its quorum');
  });
});

function declare(
  roles: Readonly<Record<string, Role>>,
  renamed: Readonly<Record<string, string>> = {},
): void {
  keeper?.close();
  steps.length = 0;
  keeper = createServerKeeper({
    ...PLACE,
    declared: declaredServers(
      Object.entries(roles).map(([name, role]) => {
        const { docker, address: advertise } = server(renamed[name] ?? name);
        return { name, role, docker, advertise, labels: { disk: renamed[name] ?? name } };
      }),
    ),
    connect: (reach) => {
      const { docker } = JSON.parse(reach) as { docker: string };
      return { docker: connectDocker(docker), close: () => undefined };
    },
    readCredentials: () => Promise.resolve(undefined),
    images: SYSTEM_IMAGES,
    log: pino({ level: 'silent' }),
  });
}

function keeperNow(): ServerKeeper {
  if (keeper === undefined) throw new Error('nothing is declared');
  return keeper;
}

async function untilAsDeclared(): Promise<FleetStatus> {
  const deadline = Date.now() + BECOMES_MS;
  for (;;) {
    const { status, done } = await keeperNow().keep({}, SIGNAL);
    steps.push(...done.map(({ step, server: name }) => `${step} ${name}`));
    const open = status.servers.filter(
      ({ pending, waiting, problem, state }) =>
        pending !== undefined ||
        waiting !== undefined ||
        problem !== undefined ||
        state !== 'ready',
    );
    if (open.length === 0 && status.problems.length === 0) return status;
    if (Date.now() > deadline) throw new Error(JSON.stringify({ status, steps }, null, 1));
    await sleep(500);
  }
}

async function until<T>(look: () => Promise<T>, wanted: unknown): Promise<void> {
  const deadline = Date.now() + BECOMES_MS;
  for (;;) {
    const is = await look();
    try {
      expect(is).toEqual(wanted);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(500);
  }
}

async function statusOf(name: string): Promise<FleetStatus['servers'][number] | undefined> {
  const { servers } = (await keeperNow().look(SIGNAL)).status;
  return servers.find((one) => one.name === name);
}

function server(name: string): HarnessServer {
  const found = harness.servers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no server ${name}`);
  return found;
}

/** Of a manager, once one answers. */
async function manager(): Promise<Docker> {
  const deadline = Date.now() + BECOMES_MS;
  for (;;) {
    const { manager: docker, status } = await keeperNow().keep({}, SIGNAL);
    if (docker !== undefined) return docker;
    if (Date.now() > deadline) throw new Error(JSON.stringify(status));
    await sleep(500);
  }
}

async function applications(): Promise<Record<string, string | undefined>> {
  const nodes = await get<
    { Description: { Hostname: string }; Spec: { Labels: Record<string, string> } }[]
  >(await manager(), '/nodes');
  return Object.fromEntries(
    nodes.map(({ Description, Spec }) => [Description.Hostname, Spec.Labels[APPLICATIONS_LABEL]]),
  );
}

/** Until all run, and on these servers only. */
async function untilTasksAt(names: readonly string[]): Promise<void> {
  await until(
    async () => {
      const at = await tasksAt();
      return { count: at.length, elsewhere: at.filter((name) => !names.includes(name ?? '')) };
    },
    { count: REPLICAS, elsewhere: [] },
  );
}

/** The servers of running tasks, one for each. */
async function tasksAt(): Promise<(string | undefined)[]> {
  const docker = await manager();
  const nodes = await get<{ ID: string; Description: { Hostname: string } }[]>(docker, '/nodes');
  const tasks = await get<{ NodeID: string; DesiredState: string; Status: { State: string } }[]>(
    docker,
    '/tasks',
  );
  return tasks
    .filter(({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running')
    .map(({ NodeID }) => nodes.find(({ ID }) => ID === NodeID)?.Description.Hostname);
}

async function volumesOf(name: string): Promise<string[]> {
  const { Volumes } = await get<{ Volumes: { Name: string }[] | null }>(
    server(name).client,
    '/volumes',
  );
  return (Volumes ?? []).map(({ Name }) => Name);
}

/** Of the server's volume. */
async function probesMadeAt(name: string): Promise<string | undefined> {
  const { Volumes } = await get<{ Volumes: { Name: string; CreatedAt: string }[] | null }>(
    server(name).client,
    '/volumes',
  );
  return (Volumes ?? []).find(({ Name }) => Name === probesVolume(PLACE))?.CreatedAt;
}

/** Of the container that filled the server's volume. */
async function statusOfProbes(name: string): Promise<string | undefined> {
  const all = await get<{ Names: string[]; Status: string }[]>(
    server(name).client,
    '/containers/json?all=true',
  );
  return all.find(({ Names }) => Names.includes(`/${probesVolume(PLACE)}`))?.Status;
}

const PROBE: Probe = {
  action: { kind: 'tcp', port: 80 },
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 1,
};

/** The mount of a probe, and no probe. */
async function runService(): Promise<void> {
  const body = {
    Name: 'web',
    TaskTemplate: {
      ContainerSpec: {
        Image: sandbox,
        Command: ['sleep', '3600'],
        StopGracePeriod: 0,
        Mounts: probesMount({ liveness: PROBE }, PLACE),
      },
      Placement: { Constraints: [`node.labels.${APPLICATIONS_LABEL}==true`] },
    },
    Mode: { Replicated: { Replicas: REPLICAS } },
  };
  await callDocker(await manager(), {
    method: 'POST',
    path: '/services/create',
    body,
    signal: SIGNAL,
  });
  await untilTasksAt(['s1']);
}

function get<T>(docker: Docker, path: string): Promise<T> {
  return callDocker<T>(docker, { method: 'GET', path, signal: SIGNAL });
}
