import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { DesiredState, Reconciliation } from '#core/engine.ts';
import type { ClusterStatus } from '#core/ports.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';
import { createMemoryEngine } from '../../test/schedules/memory-engine.ts';
import { createController } from './controller.ts';
import type { Controller, Outcome } from './controller.ts';

const FLEET: FleetStatus = {
  servers: [
    {
      name: 's1',
      address: '10.0.0.1',
      state: 'ready',
      isReachable: true,
      isLeader: true,
      runsApplications: true,
    },
  ],
  problems: [],
};
const AWAY: Reconciliation = {
  owners: [],
  orphans: [],
  done: [],
  wakeAfterMs: 60_000,
  fleet: { status: FLEET, done: [] },
  unavailable: 'no manager can be asked',
};
const DESIRED: DesiredState = { owner: 'shop/here', release: 'r1', resources: [] };

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Running {
  controller: Controller;
  published: Omit<ClusterStatus, 'controller'>[];
  waits: string[];
  deploy: () => Promise<Outcome>;
  end: () => void;
}

function run(reconcile: (desired: readonly DesiredState[]) => Promise<Reconciliation>): Running {
  const published: Running['published'] = [];
  const waits: string[] = [];
  const end = new AbortController();
  ends.push(() => end.abort());
  const controller = createController({
    cluster: 'here',
    engine: { ...createMemoryEngine(() => true), reconcile },
    guard: { share: 0.3, atLeast: 3 },
    intervalMs: 60_000,
    publish: async (status) => void published.push(status),
    events: { passed: () => undefined, tell: () => undefined },
    now: Date.now,
    log: pino({ level: 'silent' }),
  });
  controller.declare(['shop/here']);
  void controller.run(end.signal);
  return {
    controller,
    published,
    waits,
    end: () => end.abort(),
    deploy: () =>
      controller.deploy(
        {
          desired: DESIRED,
          runId: 'run-1',
          deadlineMs: 60_000,
          onPlan: () => undefined,
          onWaiting: (reason) => void waits.push(reason),
        },
        end.signal,
      ),
  };
}

function status(more: object): Reconciliation {
  const owner = { owner: 'shop/here', release: 'r1', plan: [], held: [], resources: [] };
  const { unavailable: _unavailable, ...rest } = AWAY;
  return { ...rest, owners: [{ ...owner, serving: false, ...more }] };
}

describe('the loop of a cluster', () => {
  it('shows the servers though nothing of what runs there can be looked at, and has deploys wait', async () => {
    const { published, waits, deploy, end } = run(async () => AWAY);
    const outcome = deploy();
    await vi.waitFor(() => expect(waits).toContain('no manager can be asked'));
    expect(published.at(-1)).toMatchObject({ fleet: FLEET, error: 'no manager can be asked' });
    end();
    await expect(outcome).rejects.toThrow('aborted');
  });

  it('fails deploys at once where somebody has to put that right first, and shows the servers on', async () => {
    const why = 'spec.network.encrypted: Docker cannot change that';
    const { published, deploy } = run(async () => ({
      ...AWAY,
      unavailable: why,
      isHopeless: true,
    }));
    expect(await deploy()).toEqual({ kind: 'failed', reason: why });
    await vi.waitFor(() => expect(published.at(-1)).toMatchObject({ fleet: FLEET, error: why }));
  });

  it('tells what a deploy waits for that none of its resources does', async () => {
    const { waits, deploy, end } = run(async () => status({ waitsFor: 'pulling haproxy:2.6' }));
    const outcome = deploy();
    await vi.waitFor(() => expect(waits).toContain('pulling haproxy:2.6'));
    end();
    await expect(outcome).rejects.toThrow('aborted');
  });

  it('ends a deploy by what was seen of its own release', async () => {
    const seen = [
      { release: 'r0', failure: 'of another' },
      { release: 'r1', serving: true },
    ];
    const { controller, waits, deploy } = run(async () => status(seen.shift() ?? {}));
    controller.keep({ ...DESIRED, release: 'r0' }, 'run-0');
    const outcome = deploy();
    expect(await outcome).toEqual({ kind: 'serving', held: [] });
    expect(waits).toEqual([]);
  });
});
