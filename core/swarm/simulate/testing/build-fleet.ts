import type { FleetNode, FleetService, FleetTask } from '#core/swarm/simulate/fleet.ts';

export const GIB = 2 ** 30;
export const CPU = 1_000_000_000;

export function node(server: string, more: Partial<FleetNode> = {}): FleetNode {
  return {
    id: `id-${server}`,
    server,
    hostname: server,
    address: '10.0.0.1',
    role: 'worker',
    availability: 'active',
    state: 'ready',
    labels: {},
    changedAt: 0,
    version: '20.10',
    tasks: 0,
    platform: { os: 'linux', architecture: 'x86_64' },
    engineLabels: {},
    capacity: { nanoCpus: 4 * CPU, memoryBytes: 4 * GIB },
    ...more,
  };
}

export function manager(server: string, isReachable = true): FleetNode {
  return node(server, { role: 'manager', raft: { isLeader: server === 'm1', isReachable } });
}

/** Runs nothing. */
export const BOSS: FleetNode = { ...manager('m1'), availability: 'drain' };

export function service(name: string, more: Partial<FleetService> = {}): FleetService {
  return {
    id: `id-${name}`,
    name,
    kind: 'replicated',
    reserves: { nanoCpus: 0, memoryBytes: 0 },
    constraints: [],
    spreads: [],
    platforms: [],
    hostPorts: [],
    mostPerNode: 0,
    ...more,
  };
}

/** A task of the service on each server named, in slots from 1. */
export function tasks(name: string, ...servers: string[]): FleetTask[] {
  return servers.map((server, index) => ({
    service: `id-${name}`,
    slot: String(index + 1),
    node: `id-${server}`,
    isWanted: true,
  }));
}

export function taskOn(name: string, slot: string, at: string): FleetTask {
  return { service: `id-${name}`, slot, node: at, isWanted: true };
}
