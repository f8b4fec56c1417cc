import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { connectDocker } from '#adapters/docker/connect.ts';
import { Cluster } from '#core/declarations/cluster.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { SYSTEM_IMAGES } from '#core/images.ts';
import type { Resource } from '#core/resources/resource.ts';
import { cleanUp, uniqueInstallation } from '../test/support/installation.ts';
import { createDockerEngine } from '../workers/deploy/engines/docker/engine.ts';
import { removeContainers } from './remove-containers.ts';

const SOCKET = 'unix:///var/run/docker.sock';
const PATIENCE_MS = 300_000;

/** The docker engine with passes as the controller makes them, for one owner. */
export interface BenchEngine {
  installation: string;
  /** Until everything serves and nothing is left to be done. */
  settle(resources: readonly Resource[]): Promise<OwnerStatus>;
  remove(): Promise<void>;
}

export function startBenchEngine(ingress: { httpPort: number; httpsPort: number }): BenchEngine {
  const installation = uniqueInstallation();
  const engine = createDockerEngine({
    cluster: Cluster.parse({
      apiVersion: 'windlass.dev/v1',
      kind: 'Cluster',
      metadata: { name: 'bench' },
      spec: { engine: 'docker', servers: [{ name: 'me', docker: SOCKET }], ingress },
    }),
    docker: connectDocker(SOCKET),
    installation,
    sealKey: 'k',
    images: SYSTEM_IMAGES,
    readCredentials: () => Promise.resolve(undefined),
    log: pino({ level: 'silent' }),
  });
  const watching = new AbortController();
  let wake = new AbortController();
  const watched = engine.watch(() => wake.abort(), watching.signal);
  return {
    installation,
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
      }
    },
    async remove() {
      watching.abort();
      await watched;
      await engine.close();
      await removeContainers(installation);
      await cleanUp(installation);
    },
  };
}
