import { messageOf } from '#core/errors.ts';
import type { Lease } from '#core/ports.ts';
import { controlCluster } from './cluster-worker.ts';
import type { ClusterWorkerDependencies, Controlled } from './cluster-worker.ts';

const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
const TRY_MS = 2_000;
const RESTART_MS = 5_000;

export type DeployWorkerDependencies = ClusterWorkerDependencies & { lease: Lease };

/** Takes part in controlling every declared cluster, one controller each over all workers, until aborted. */
export async function startDeployWorker(
  dependencies: DeployWorkerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const running = new Map<string, { text: string; stop: AbortController; ended: Promise<void> }>();
  await dependencies.shared.followDeclarations(({ clusters: declared, retired }) => {
    const clusters = { ...retired, ...declared };
    function isRetired(name: string): boolean {
      return !Object.hasOwn(declared, name);
    }
    function textOf(name: string): string {
      return JSON.stringify({ cluster: clusters[name], retired: isRetired(name) });
    }
    for (const [name, { text, stop }] of running) {
      if (textOf(name) === text) continue;
      // Removed, or to be begun again as it is declared now; what runs on it stays.
      stop.abort();
      running.delete(name);
    }
    for (const [name, cluster] of Object.entries(clusters)) {
      if (running.has(name)) continue;
      const stop = new AbortController();
      const until = AbortSignal.any([signal, stop.signal]);
      const ended = keepControl({ cluster, retired: isRetired(name) }, dependencies, until);
      running.set(name, { text: textOf(name), stop, ended });
    }
  }, signal);
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

/** Controls the cluster whenever this worker gets its lease. What Redis refuses is tried again. */
async function keepControl(
  controlled: Controlled,
  dependencies: DeployWorkerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { lease, holder, log } = dependencies;
  const key = `cluster:${controlled.cluster.metadata.name}`;
  while (!signal.aborted) {
    try {
      if (await lease.acquire(key, holder, LEASE_MS)) {
        await controlWhileOurs(key, controlled, dependencies, signal);
        await lease.release(key, holder);
        continue;
      }
    } catch (error) {
      log.warn({ lease: key, err: error }, 'Redis refused what control needs; it is tried again');
    }
    await pause(TRY_MS, signal);
  }
}

/** Until the lease is lost or the controller breaks, which is told. */
async function controlWhileOurs(
  key: string,
  controlled: Controlled,
  dependencies: DeployWorkerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { holder, log, shared } = dependencies;
  const { name } = controlled.cluster.metadata;
  const lost = new AbortController();
  const renewing = renew(key, dependencies, lost, signal);
  try {
    await controlCluster(controlled, dependencies, AbortSignal.any([signal, lost.signal]));
  } catch (error) {
    if (signal.aborted) return;
    log.error({ cluster: name, err: error }, 'the controller stopped');
    await shared.putClusterStatus(name, {
      cluster: name,
      controller: holder,
      at: Date.now(),
      owners: [],
      orphans: [],
      error: messageOf(error),
    });
    await pause(RESTART_MS, signal);
  } finally {
    lost.abort();
    await renewing;
  }
}

/**
 * Renews until the lease is lost. With Redis away `renew` waits, and healing goes on: nobody else can take the lease
 * then. So it does where Redis refuses to write, which it refuses others too. When Redis is back the lease has run out,
 * and is taken again unless another worker was first.
 */
async function renew(
  key: string,
  { lease, holder, log }: DeployWorkerDependencies,
  lost: AbortController,
  signal: AbortSignal,
): Promise<void> {
  const ended = AbortSignal.any([signal, lost.signal]);
  while (!ended.aborted) {
    await pause(RENEW_MS, ended);
    if (ended.aborted) return;
    try {
      const ours =
        (await lease.renew(key, holder, LEASE_MS)) || (await lease.acquire(key, holder, LEASE_MS));
      if (ours) continue;
    } catch (error) {
      log.warn({ lease: key, err: error }, 'the lease was not renewed; it is tried again');
      continue;
    }
    log.warn({ lease: key }, 'another worker controls the cluster now');
    lost.abort(new Error('the lease was lost'));
  }
}

/** Ends sooner when aborted: the caller looks at its signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
