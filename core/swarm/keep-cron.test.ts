import { describe, expect, it } from 'vitest';
import type { DesiredState } from '#core/engine.ts';
import type { Resource } from '#core/resources/resource.ts';
import { simulateSwarm } from '#core/swarm/testing/simulated-swarm.ts';
import type { SimulatedSwarm } from '#core/swarm/testing/simulated-swarm.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 10, 23, 14, 0, 30);

function tidy(said: { spec?: object; backoffLimit?: number } = {}): Resource {
  const { spec = {}, backoffLimit = 0 } = said;
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tidy' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: {
          backoffLimit,
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'tidy:1' }] },
          },
        },
      },
      ...spec,
    },
  };
}

function desire(resource: Resource): DesiredState[] {
  return [{ owner: 'shop/test', release: 'r1', resources: [resource] }];
}

function begun(): SimulatedSwarm {
  const swarm = simulateSwarm();
  swarm.now = START;
  return swarm;
}

function jobs({ world }: SimulatedSwarm): string[] {
  return world.services.map(({ part }) => part).toSorted();
}

function minuteOf(ms: number): string {
  return `tidy-${Math.floor(ms / MINUTE_MS)}`;
}

describe('a CronJob on a swarm', () => {
  it('starts nothing before its time, then one Job, which is recorded first', () => {
    const swarm = begun();
    const first = swarm.settle(desire(tidy()));
    expect(jobs(swarm)).toEqual([]);
    expect(first.owners[0]?.resources[0]?.summary).toBe('next at 2026-11-23T14:01Z');
    expect(first.owners[0]).toMatchObject({ serving: true });
    swarm.now = START + MINUTE_MS;
    const { done } = swarm.settle(desire(tidy()));
    expect(jobs(swarm)).toEqual([minuteOf(START + MINUTE_MS)]);
    expect(done.map(({ kind }) => kind).filter((kind) => !kind.startsWith('configure'))).toEqual([
      'record',
      'createService',
      'record',
    ]);
  });

  it('starts no Job a second time, though its service is gone', () => {
    const swarm = begun();
    swarm.settle(desire(tidy()));
    swarm.now = START + MINUTE_MS;
    swarm.settle(desire(tidy()));
    swarm.world.services = [];
    swarm.world.tasks = [];
    expect(swarm.settle(desire(tidy())).done).toEqual([]);
  });

  it('keeps as many that have ended as it says', () => {
    const swarm = begun();
    const resource = tidy({ spec: { successfulJobsHistoryLimit: 1 } });
    for (let minute = 0; minute < 4; minute += 1) {
      swarm.now = START + minute * MINUTE_MS;
      swarm.settle(desire(resource));
    }
    expect(jobs(swarm)).toEqual([minuteOf(START + 3 * MINUTE_MS)]);
  });

  it.each([
    { policy: 'Forbid', after: [1] },
    { policy: 'Allow', after: [1, 2] },
    { policy: 'Replace', after: [2] },
  ])('has those that run beside a new one as $policy says', ({ policy, after }) => {
    const swarm = begun();
    swarm.jobsEnd = false;
    const resource = tidy({ spec: { concurrencyPolicy: policy } });
    for (let minute = 0; minute < 3; minute += 1) {
      swarm.now = START + minute * MINUTE_MS;
      swarm.settle(desire(resource));
    }
    expect(jobs(swarm)).toEqual(after.map((minute) => minuteOf(START + minute * MINUTE_MS)));
  });

  it('tells that its last Job failed, keeps what it was, and holds no release up', () => {
    const swarm = begun();
    swarm.settle(desire(tidy()));
    swarm.fails = () => true;
    swarm.now = START + MINUTE_MS;
    const { owners } = swarm.settle(desire(tidy()));
    expect(owners[0]).toMatchObject({ serving: true });
    expect(owners[0]?.failure).toBeUndefined();
    expect(owners[0]?.resources[0]?.health).toEqual({
      status: 'Degraded',
      reason: `Job ${minuteOf(START + MINUTE_MS)}: it has failed: exit code 1, 0 restarts`,
    });
    expect(owners[0]?.resources[0]?.pods).toMatchObject([{ phase: 'Failed' }]);
  });

  it('starts none while it is suspended', () => {
    const swarm = begun();
    const resource = tidy({ spec: { suspend: true } });
    swarm.settle(desire(resource));
    swarm.now = START + MINUTE_MS;
    const { owners } = swarm.settle(desire(resource));
    expect(jobs(swarm)).toEqual([]);
    expect(owners[0]?.resources[0]?.summary).toBe('Suspended');
  });
});
