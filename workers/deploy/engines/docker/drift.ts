import type { InspectedContainer } from './inspected.ts';

/** What a container was created with, as far as somebody can alter it; kept in a label of it. */
export interface Made {
  name: string;
  restart: string;
  memory: number;
  memoryReservation: number;
  nanoCpus: number;
  cpuShares: number;
  /** The network it is on itself; absent where it lives in another's. */
  network?: string;
  /** Its address there, where it has to be that one. */
  address?: string;
}

/** What differs from how it was made, for a person; empty when nothing does. */
export function findDrift(made: Made, inspected: InspectedContainer): string[] {
  const { HostConfig: host } = inspected;
  return [
    ...differ('name', made.name, inspected.Name.slice(1)),
    ...differ('restart policy', made.restart, host.RestartPolicy.Name),
    ...differ('memory limit', bytes(made.memory), bytes(host.Memory)),
    ...differ('memory reservation', bytes(made.memoryReservation), bytes(host.MemoryReservation)),
    ...differ('cpu limit', cpus(made.nanoCpus), cpus(host.NanoCpus)),
    ...differ('cpu shares', String(made.cpuShares), String(host.CpuShares)),
    ...(made.network === undefined ? [] : networkDrift(made.network, inspected)),
  ];
}

export function parseMade(label: string | undefined): Made | undefined {
  return label === undefined ? undefined : (JSON.parse(label) as Made);
}

function networkDrift(network: string, inspected: InspectedContainer): string[] {
  const joined = Object.keys(inspected.NetworkSettings.Networks ?? {});
  return [
    ...(joined.includes(network) ? [] : [`not connected to network ${network}`]),
    ...joined.filter((name) => name !== network).map((name) => `connected to network ${name}`),
  ];
}

function differ(what: string, made: string, found: string): string[] {
  return made === found ? [] : [`${what} ${found}, was ${made}`];
}

function bytes(value: number): string {
  if (value === 0) return 'none';
  return value % 2 ** 20 === 0 ? `${value / 2 ** 20}Mi` : String(value);
}

function cpus(nano: number): string {
  return nano === 0 ? 'none' : `${nano / 1e6}m`;
}
