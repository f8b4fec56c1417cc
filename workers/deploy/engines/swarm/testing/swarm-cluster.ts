import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pino } from 'pino';
import { callDocker } from '#adapters/docker/call.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { APPLICATIONS_LABEL } from '#core/swarm/servers/labels.ts';
import { startOwnDockerd } from '../../../../../test/tools/dockerd.ts';
import type { HarnessServer } from '../../../../../test/harness/server.ts';
import { updateNodes } from '../../../../../test/harness/update-nodes.ts';
import type { SwarmNode } from '../../../../../test/harness/update-nodes.ts';
import type { OwnDockerd } from '../../../../../test/tools/dockerd.ts';
import { createSwarmEngine } from '../engine.ts';
import type { SwarmEngineOptions, WorkloadEngine } from '../engine.ts';

export const never = new AbortController().signal;

/** A swarm of one server, on a Docker engine of its own. */
export interface OwnSwarm {
  docker: Docker;
  /** Of its Docker, for this machine. */
  socket: string;
  /** An engine of an installation of its own, and a cluster that is declared, unless told otherwise. */
  startEngine(
    options?: Partial<Pick<SwarmEngineOptions, 'installation' | 'declared'>>,
  ): WorkloadEngine;
  /** Of the path, e.g. `/services`: all there are. */
  list<T>(path: string): Promise<T[]>;
  /** Runs a command on the server; answers what it prints. */
  run(args: readonly string[]): Promise<string>;
  /** As of its own Docker engine. */
  lead: OwnDockerd['lead'];
  stop(): Promise<void>;
}

export async function startOwnSwarm(): Promise<OwnSwarm> {
  const dockerd = await startOwnDockerd(await mkdtemp(join(tmpdir(), 'windlass-swarm-')));
  const { docker } = dockerd;
  await callDocker(docker, {
    method: 'POST',
    path: '/swarm/init',
    body: { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1' },
    signal: never,
  });
  await takeApplications(docker);
  return {
    docker,
    socket: dockerd.socket,
    startEngine: (options) => createTestEngine(docker, options),
    list: async (path) => (await callDocker(docker, { method: 'GET', path, signal: never })) ?? [],
    run: (args) => dockerd.run(args),
    lead: (from, to) => dockerd.lead(from, to),
    async stop() {
      await callDocker(docker, {
        method: 'POST',
        path: '/swarm/leave',
        query: { force: true },
        signal: never,
      });
      await dockerd.stop();
    },
  };
}

const SWARM_PORT = 2377;

/** A manager and others, and workers that alone run applications where there are some. */
export async function joinSwarm(
  { client, address }: Pick<HarnessServer, 'client' | 'address'>,
  workers: readonly HarnessServer[],
  managers: readonly HarnessServer[] = [],
): Promise<void> {
  const ListenAddr = `0.0.0.0:${SWARM_PORT}`;
  await callDocker(client, {
    method: 'POST',
    path: '/swarm/init',
    body: { ListenAddr, AdvertiseAddr: address },
    signal: never,
  });
  const { JoinTokens } = await callDocker<{
    JoinTokens: { Worker: string; Manager: string };
  }>(client, {
    method: 'GET',
    path: '/swarm',
    signal: never,
  });
  for (const server of [...managers, ...workers])
    await callDocker(server.client, {
      method: 'POST',
      path: '/swarm/join',
      body: {
        ListenAddr,
        AdvertiseAddr: server.address,
        RemoteAddrs: [`${address}:${SWARM_PORT}`],
        JoinToken: managers.includes(server) ? JoinTokens.Manager : JoinTokens.Worker,
      },
      signal: never,
    });
  await takeApplications(client, ({ Spec }) => workers.length === 0 || Spec.Role === 'worker');
}

/** On all servers of the swarm, or some. */
export async function takeApplications(
  docker: Docker,
  isOne: (node: SwarmNode) => boolean = () => true,
): Promise<void> {
  await updateNodes(docker, isOne, (spec) => ({
    ...spec,
    Labels: { ...spec.Labels, [APPLICATIONS_LABEL]: 'true' },
  }));
}

/** An engine of an installation of its own. */
export function createTestEngine(
  docker: Docker,
  {
    issuers = [],
    encrypted = false,
    ...more
  }: Partial<Pick<SwarmEngineOptions, 'connect' | 'installation' | 'declared' | 'images'>> & {
    issuers?: object[];
    encrypted?: boolean;
  } = {},
): WorkloadEngine {
  return createSwarmEngine({
    cluster: Cluster.parse({
      apiVersion: 'windlass.dev/v1',
      kind: 'Cluster',
      metadata: { name: 'test' },
      spec: {
        engine: 'swarm',
        servers: [
          {
            name: 'me',
            docker: 'unix:///var/run/docker.sock',
            advertise: '127.0.0.1',
            role: 'manager',
          },
        ],
        network: { encrypted },
        ingress: { issuers },
      },
    }),
    docker,
    installation: randomBytes(4).toString('hex'),
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
    declared: true,
    ...more,
  });
}

export function desire(resources: Resource[], owner = 'shop/test'): DesiredState {
  return { owner, release: 'r1', resources };
}

/** Passes until the owner serves (or as asked), as the controller makes them. */
export async function settle(
  engine: Pick<WorkloadEngine, 'reconcile'>,
  desired: DesiredState,
  until: (status: OwnerStatus) => boolean = ({ serving }) => serving,
  timeoutMs = 60_000,
): Promise<OwnerStatus> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const [status] = (await engine.reconcile([desired], never)).owners;
    if (status !== undefined && until(status)) return status;
    if (Date.now() > end)
      throw new Error(`did not settle: ${JSON.stringify(status, undefined, 1)}`);
    await sleep(200);
  }
}
