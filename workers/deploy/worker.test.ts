import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemorySharedState } from '#adapters/fake/shared-state.ts';
import type { Lease } from '#core/ports.ts';
import { cluster, CLUSTER } from '../../test/schedules/shop.ts';
import { startDeployWorker } from './worker.ts';
import type { DeployWorkerDependencies } from './worker.ts';

const REFUSED = new Error("READONLY You can't write against a read only replica.");

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Working {
  /** How often the cluster was taken under control. */
  begun: () => number;
  end: () => Promise<void>;
}

/** With an engine that is on its way for as long as it works, or cannot be had. */
async function start(
  lease: Partial<Lease>,
  { isBroken = false, putClusterStatus = async (): Promise<void> => undefined } = {},
): Promise<Working> {
  const shared = createMemorySharedState();
  await shared.putDeclarations({ pipelines: {}, clusters: { [CLUSTER]: cluster }, retired: {} });
  const stop = new AbortController();
  let begun = 0;
  const dependencies = {
    lease: {
      acquire: async () => true,
      renew: async () => true,
      release: async () => undefined,
      ...lease,
    },
    shared: { ...shared, putClusterStatus },
    createEngine: () => {
      begun += 1;
      if (isBroken) return Promise.reject(new Error('no such socket'));
      return new Promise((_resolve, reject) => {
        stop.signal.addEventListener('abort', () => reject(new Error('ended')));
      });
    },
    holder: 'me',
    log: pino({ level: 'silent' }),
  } as unknown as DeployWorkerDependencies;
  const ended = startDeployWorker(dependencies, stop.signal);
  return {
    begun: () => begun,
    async end() {
      stop.abort();
      await ended;
    },
  };
}

describe('a deploy worker to which Redis refuses writes', () => {
  it('tries again to take a cluster', async () => {
    const acquire = vi
      .fn<Lease['acquire']>()
      .mockRejectedValueOnce(REFUSED)
      .mockResolvedValue(true);
    const { begun, end } = await start({ acquire });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(begun()).toBe(0);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(begun()).toBe(1);
    await end();
  });

  it('goes on controlling, and goes on trying to renew', async () => {
    const renew = vi.fn<Lease['renew']>().mockRejectedValue(REFUSED);
    const { begun, end } = await start({ renew });
    await vi.advanceTimersByTimeAsync(61_000);
    expect(renew.mock.calls.length).toBeGreaterThan(5);
    expect(begun()).toBe(1);
    await end();
  });

  it('begins again though it cannot tell that its controller broke, nor give the lease back', async () => {
    const { begun, end } = await start(
      { release: () => Promise.reject(REFUSED) },
      { isBroken: true, putClusterStatus: () => Promise.reject(REFUSED) },
    );
    await vi.advanceTimersByTimeAsync(10_000);
    expect(begun()).toBeGreaterThan(1);
    await end();
  });
});
