import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { cleanUp, uniqueInstallation } from '../test/support/installation.ts';
import { createDockerEngine } from '../workers/deploy/engines/docker/engine.ts';
import type { WorkloadEngine } from '../workers/deploy/engines/swarm/engine.ts';

const SOCKET = 'unix:///var/run/docker.sock';
const PATIENCE_MS = 300_000;

/** An engine, followed as the controller does, with passes as it makes them for one owner. */
export interface DrivenEngine {
  /** Until everything serves and nothing is left to be done. */
  settle(resources: readonly Resource[]): Promise<OwnerStatus>;
  end(): Promise<void>;
}

/** On the machine's own Docker. */
export interface BenchEngine extends Pick<DrivenEngine, 'settle'> {
  installation: string;
  engine: Engine;
  remove(): Promise<void>;
}

export function driveEngine(
  engine: Omit<WorkloadEngine, 'serverProblems' | 'onServers'>,
): DrivenEngine {
  const watching = new AbortController();
  let wake = new AbortController();
  const watched = engine.watch(() => wake.abort(), watching.signal);
  return {
    async settle(resources) {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const desired: DesiredState = { owner: 'bench/bench', release: 'r1', resources };
      for (;;) {
        wake = new AbortController();
        const ends = AbortSignal.any([wake.signal, signal]);
        const { owners, wakeAfterMs } = await engine.reconcile([desired], signal);
        const [status] = owners;
        if (status?.failure !== undefined) throw new Error(status.failure);
        if (status?.serving === true && status.plan.length === 0) return status;
        await sleep(wakeAfterMs, undefined, { signal: ends }).catch(() => undefined);
        signal.throwIfAborted();
      }
    },
    async end() {
      watching.abort();
      await watched;
      await engine.close();
    },
  };
}

export function startBenchEngine(ingress?: { httpPort: number; httpsPort: number }): BenchEngine {
  const installation = uniqueInstallation();
  const engine = createDockerEngine({
    cluster: Cluster.parse({
      apiVersion: 'windlass.dev/v1',
      kind: 'Cluster',
      metadata: { name: 'bench' },
      spec: {
        engine: 'docker',
        servers: [{ name: 'me', docker: SOCKET }],
        ...(ingress === undefined ? {} : { ingress }),
      },
    }),
    docker: connectDocker(SOCKET),
    installation,
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
  });
  const driven = driveEngine(engine);
  return {
    installation,
    engine,
    settle: (resources) => driven.settle(resources),
    async remove() {
      await driven.end();
      await cleanUp(installation);
    },
  };
}
