/** A container as Docker lists it. */
export interface ListedContainer {
  Id: string;
  Names: string[];
  State: string;
  Labels: Record<string, string>;
  /** Seconds since the epoch. */
  Created: number;
}

/** The part of Docker's answer about one container that the engine reads. */
export interface InspectedContainer {
  Id: string;
  Name: string;
  /** As text of a time. */
  Created: string;
  RestartCount: number;
  /** Program and arguments. */
  Path: string;
  Args: string[];
  State: {
    Status: string;
    StartedAt: string;
    FinishedAt: string;
    ExitCode: number;
    OOMKilled: boolean;
  };
  Config: { Labels: Record<string, string> | null };
  HostConfig: {
    NetworkMode: string;
    RestartPolicy: { Name: string };
    Memory: number;
    MemoryReservation: number;
    NanoCpus: number;
    CpuShares: number;
    PortBindings?: Record<string, object> | null;
  };
  Mounts: { Name?: string }[];
  NetworkSettings: { Networks: Record<string, { IPAddress: string }> | null };
}

/** Ms since the epoch; Docker's zero time, year 1, is 0 here. */
export function timeOf(text: string): number {
  return Math.max(0, Date.parse(text));
}

/**
 * Whether it runs in what its sandbox is by now: one that was started again since has a network namespace of its own.
 * A sandbox whose start lies ahead was started before the clock was set back; what came after it cannot be told.
 */
export function isStartedSince(
  container: InspectedContainer,
  sandbox: InspectedContainer,
): boolean {
  const since = timeOf(sandbox.State.StartedAt);
  return timeOf(container.State.StartedAt) >= since || since > Date.now();
}

export function nameOf(container: { Names: string[] }): string {
  // A container that others link to has several names; its own has one slash only.
  const own =
    container.Names.find((name) => name.lastIndexOf('/') === 0) ?? container.Names[0] ?? '';
  return own.slice(1);
}
