import { describe, expect, it } from 'vitest';
import { findDrift, type Made } from './drift.ts';
import type { InspectedContainer } from './inspected.ts';

const made: Made = {
  name: 'shop.web-0.web.local-1',
  restart: 'unless-stopped',
  memory: 128 * 2 ** 20,
  memoryReservation: 0,
  nanoCpus: 500_000_000,
  cpuShares: 0,
};

function inspected(
  host: Partial<InspectedContainer['HostConfig']> = {},
  more: Partial<InspectedContainer> = {},
): InspectedContainer {
  return {
    Id: '1',
    Name: `/${made.name}`,
    Created: '2026-01-01T00:00:00Z',
    RestartCount: 0,
    Path: 'sh',
    Args: [],
    State: { Status: 'running', StartedAt: '', FinishedAt: '', ExitCode: 0, OOMKilled: false },
    Config: { Labels: {} },
    Mounts: [],
    HostConfig: {
      NetworkMode: 'x',
      RestartPolicy: { Name: 'unless-stopped' },
      Memory: made.memory,
      MemoryReservation: 0,
      NanoCpus: made.nanoCpus,
      CpuShares: 0,
      ...host,
    },
    NetworkSettings: { Networks: {} },
    ...more,
  };
}

describe('findDrift', () => {
  it.each([
    { name: 'nothing altered', container: inspected(), drift: [] },
    {
      name: 'memory',
      container: inspected({ Memory: 64 * 2 ** 20 }),
      drift: ['memory limit 64Mi, was 128Mi'],
    },
    {
      name: 'restart policy and cpu',
      container: inspected({ RestartPolicy: { Name: 'no' }, NanoCpus: 0 }),
      drift: ['restart policy no, was unless-stopped', 'cpu limit none, was 500m'],
    },
    {
      name: 'name',
      container: inspected({}, { Name: '/mine' }),
      drift: ['name mine, was shop.web-0.web.local-1'],
    },
  ])('tells of $name', ({ container, drift }) => {
    expect(findDrift(made, container)).toEqual(drift);
  });

  it('tells of networks only where the container has its own', () => {
    const other = inspected({}, { NetworkSettings: { Networks: { bridge: { IPAddress: '' } } } });
    expect(findDrift(made, other)).toEqual([]);
    expect(findDrift({ ...made, network: 'local-1' }, other)).toEqual([
      'not connected to network local-1',
      'connected to network bridge',
    ]);
  });
});
