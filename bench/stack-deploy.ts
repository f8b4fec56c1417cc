import { setTimeout as sleep } from 'node:timers/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '#core/errors.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { startOwnSwarm } from '../workers/deploy/engines/swarm/testing/swarm-cluster.ts';
import type { OwnSwarm } from '../workers/deploy/engines/swarm/testing/swarm-cluster.ts';
import { docker } from './docker-command.ts';
import { driveEngine } from './engine.ts';
import type { DrivenEngine } from './engine.ts';
import { figure, median } from './figure.ts';
import type { Figure } from './figure.ts';

const SERVICES = 50;
const ROUNDS = 5;
const UNCHANGED = 7;
const CHANGES = 2;
const POLL_MS = 100;
const PATIENCE_MS = 600_000;
const STACK = 'bench';
const INSTALLATION = 'bench';
const NETWORK = 'bench-network';
/** It listens, as what a Service leads to does: a proxy asks what does not answer ten times a second. */
const COMMAND = ['httpd', '-f', '-p', '80'];

interface Times {
  first: number[];
  /** Where the network, and what of the cluster's own is on it, is made with them (ours), or is there before (the peer's). */
  otherwise: number[];
  unchanged: number[];
  change: number[];
}
interface Measured {
  ours: Times;
  peer: Times;
}

let measured: Promise<Measured> | undefined;

/** All services from nothing until they serve, beside `docker stack deploy` of the same. */
export async function stackFirst(): Promise<Figure> {
  const found = await told(
    'stack-first',
    'first',
    1,
    `${SERVICES} Deployments with a Service each from nothing until all serve, on a cluster as it is once it is declared, beside \`docker stack deploy\` of ${SERVICES} services of the same until all their tasks run. Below, the same where the cluster's network, proxy and name server are made with them, too`,
  );
  const { ours, peer } = await measure();
  const beside = median(peer.first);
  const rows = [
    ['Windlass, on a cluster as declared', ours.first],
    ['Windlass, with its network, proxy and name server', ours.otherwise],
    ['`docker stack deploy`, with its network', peer.first],
    ['`docker stack deploy`, on a network that is there', peer.otherwise],
  ] as const;
  return {
    ...found,
    beside: {
      head: ['what', 'ms', 'beside `docker stack deploy`'],
      rows: rows.map(([what, times]) => [what, median(times), (median(times) / beside).toFixed(2)]),
    },
  };
}

export function stackUnchanged(): Promise<Figure> {
  return told(
    'stack-unchanged',
    'unchanged',
    0.5,
    `a pass of the swarm engine over the same with nothing to do, beside \`docker stack deploy\` of the same file again`,
  );
}

export function stackOneChange(): Promise<Figure> {
  return told(
    'stack-one-change',
    'change',
    1,
    `a variable of one of them changed, until it serves and Swarm watches its update no more, beside the same by \`docker stack deploy\``,
  );
}

async function told(name: string, part: keyof Times, target: number, how: string): Promise<Figure> {
  const { ours, peer } = await measure();
  return figure(name, { ours: ours[part], peer: peer[part] }, target, how);
}

function measure(): Promise<Measured> {
  measured ??= measureAll();
  return measured;
}

async function measureAll(): Promise<Measured> {
  const swarm = await startOwnSwarm();
  const declared = driveEngine(swarm.startEngine({ installation: INSTALLATION }));
  const retired = driveEngine(swarm.startEngine({ installation: INSTALLATION, declared: false }));
  const folder = await mkdtemp(join(tmpdir(), 'windlass-bench-'));
  const all: Measured = { ours: none(), peer: none() };
  async function clear(): Promise<void> {
    await declared.settle([]);
    // The network goes some time after the last that was on it.
    await until(() =>
      retired.settle([]).then(
        () => true,
        (error: unknown) => {
          if (!messageOf(error).includes('is still to be removed')) throw error;
          return false;
        },
      ),
    );
    await untilGone(swarm);
  }
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      await declared.settle([]);
      await measureOurs(declared, all.ours);
      await clear();
      await measurePeer(swarm, join(folder, 'stack.yaml'), all.peer);
      all.ours.otherwise.push(await timed(() => declared.settle(resources(0))));
      await clear();
    }
  } finally {
    await declared.end();
    await retired.end();
    await rm(folder, { recursive: true });
    await swarm.stop();
  }
  return all;
}

function none(): Times {
  return { first: [], otherwise: [], unchanged: [], change: [] };
}

async function measureOurs(engine: DrivenEngine, times: Times): Promise<void> {
  times.first.push(await timed(() => engine.settle(resources(0))));
  for (let round = 0; round < UNCHANGED; round += 1)
    times.unchanged.push(await timed(() => engine.settle(resources(0))));
  for (let change = 1; change <= CHANGES; change += 1)
    times.change.push(await timed(() => engine.settle(resources(change))));
}

async function measurePeer(swarm: OwnSwarm, file: string, times: Times): Promise<void> {
  async function deploy(change: number, networks: object = {}): Promise<void> {
    await writeFile(file, JSON.stringify({ ...stack(change), networks }));
    const how = ['--compose-file', file, '--resolve-image', 'never', '--detach=true'];
    await ask('stack', 'deploy', ...how, STACK);
  }
  function ask(...args: string[]): Promise<string> {
    return docker('--host', `unix://${swarm.socket}`, ...args);
  }
  async function first(networks?: object): Promise<void> {
    await deploy(0, networks);
    await untilRunning(swarm, 0);
  }
  times.first.push(await timed(() => first()));
  for (let round = 0; round < UNCHANGED; round += 1)
    times.unchanged.push(await timed(() => deploy(0)));
  for (let change = 1; change <= CHANGES; change += 1)
    times.change.push(
      await timed(async () => {
        await deploy(change);
        await untilRunning(swarm, change);
      }),
    );
  await ask('stack', 'rm', STACK);
  await untilGone(swarm);
  await ask('network', 'create', '--driver', 'overlay', '--attachable', NETWORK);
  // It is on the server once a container is on it.
  const keeper = await ask('run', '-d', '--net', NETWORK, SYSTEM_IMAGES.sandbox, 'sleep', '86400');
  times.otherwise.push(await timed(() => first({ default: { name: NETWORK, external: true } })));
  await ask('stack', 'rm', STACK);
  await ask('rm', '--force', keeper);
  await untilGone(swarm);
  await until(() =>
    ask('network', 'rm', NETWORK).then(
      () => true,
      () => false,
    ),
  );
}

interface Task {
  DesiredState: string;
  Status: { State: string };
  Spec: { ContainerSpec: { Env?: string[] } };
}

/** Every task is as it should be, and no update is under way. */
async function untilRunning(swarm: OwnSwarm, change: number): Promise<void> {
  await until(async () => {
    const tasks = await swarm.list<Task>('/tasks');
    const services = await swarm.list<{ UpdateStatus?: { State?: string } }>('/services');
    const running = tasks.filter(
      ({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running',
    );
    const changed = running.filter(({ Spec }) =>
      Spec.ContainerSpec.Env?.includes(`CHANGE=${change}`),
    );
    return (
      running.length === SERVICES &&
      changed.length === 1 &&
      services.every(({ UpdateStatus }) => UpdateStatus?.State !== 'updating')
    );
  });
}

/** Nothing of the round before is still being stopped. */
async function untilGone(swarm: OwnSwarm): Promise<void> {
  await until(async () => (await swarm.list('/containers/json?all=true')).length === 0);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('the swarm did not come to it in time');
    await sleep(POLL_MS);
  }
}

/** Of the first one a variable says which change it is. */
function resources(change: number): Resource[] {
  return Array.from({ length: SERVICES }, (_, index) => {
    const labels = { app: `app-${index}` };
    const metadata = { name: `app-${index}` };
    const container = {
      name: 'main',
      image: SYSTEM_IMAGES.sandbox,
      command: COMMAND,
      env: [{ name: 'CHANGE', value: index === 0 ? String(change) : 'none' }],
    };
    const pod = { terminationGracePeriodSeconds: 0, containers: [container] };
    return [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: pod },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: { selector: labels, ports: [{ port: 80 }] },
      },
    ];
  }).flat();
}

function stack(change: number): object {
  const services = Object.fromEntries(
    Array.from({ length: SERVICES }, (_, index) => [
      `app-${index}`,
      {
        image: SYSTEM_IMAGES.sandbox,
        command: COMMAND,
        environment: { CHANGE: index === 0 ? String(change) : 'none' },
        stop_grace_period: '0s',
        deploy: { endpoint_mode: 'dnsrr', update_config: { order: 'start-first' } },
      },
    ]),
  );
  return { version: '3.8', services };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
