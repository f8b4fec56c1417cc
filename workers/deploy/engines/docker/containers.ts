import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { findDrift, type Made } from './drift.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { agrees } from './marks.ts';

/** Beside a container's own grace: what Docker needs to end and remove it. */
const SLACK_MS = 30_000;
const UPDATABLE = /^(restart policy|memory limit|memory reservation|cpu limit|cpu shares) /;

/**
 * Creates a container under its deterministic name. If another writer of this installation was faster, answers that
 * one, so that nothing doubles.
 */
export async function createContainer(
  context: DockerContext,
  name: string,
  body: object,
  expected: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  try {
    const { Id } = await callDocker<{ Id: string }>(context.docker, {
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body,
      signal,
    });
    return Id;
  } catch (error) {
    if (!isStatus(error, 409)) throw error;
    const found = await inspectContainer(context, name, signal);
    if (found === undefined) throw error;
    if (agrees(found.Config.Labels, expected)) return found.Id;
    throw new UserError('conflict', `the container ${name} was not made by this installation`, {
      hint: `Rename or remove it: docker rename ${name} other`,
    });
  }
}

export async function startContainer(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  await callDocker(context.docker, { method: 'POST', path: `/containers/${id}/start`, signal });
}

export async function unpauseContainer(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  await callDocker(context.docker, { method: 'POST', path: `/containers/${id}/unpause`, signal });
}

/** Ends it as Kubernetes does: its stop signal, then its grace, then the kill. One that is gone is no error. */
export async function stopContainer(
  context: DockerContext,
  id: string,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  await orGone(
    callDocker(context.docker, {
      method: 'POST',
      path: `/containers/${id}/stop`,
      query: { t: graceSeconds },
      timeoutMs: graceSeconds * 1_000 + SLACK_MS,
      signal,
    }),
  );
}

export async function restartContainer(
  context: DockerContext,
  id: string,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  await callDocker(context.docker, {
    method: 'POST',
    path: `/containers/${id}/restart`,
    query: { t: graceSeconds },
    timeoutMs: graceSeconds * 1_000 + SLACK_MS,
    signal,
  });
}

export async function removeContainer(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  await orGone(
    callDocker(context.docker, {
      method: 'DELETE',
      path: `/containers/${id}`,
      query: { force: true, v: true },
      timeoutMs: SLACK_MS,
      signal,
    }),
  );
}

export async function signalContainer(
  context: DockerContext,
  id: string,
  signalName: 'SIGHUP' | 'SIGUSR2',
  signal: AbortSignal,
): Promise<void> {
  await callDocker(context.docker, {
    method: 'POST',
    path: `/containers/${id}/kill`,
    query: { signal: signalName },
    signal,
  });
}

export async function renameContainer(
  context: DockerContext,
  id: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await callDocker(context.docker, {
    method: 'POST',
    path: `/containers/${id}/rename`,
    query: { name },
    signal,
  });
}

/** Puts back what Docker can alter in a running container. False where only making it anew helps. */
export async function undoDrift(
  context: DockerContext,
  inspected: InspectedContainer,
  made: Made,
  signal: AbortSignal,
): Promise<boolean> {
  const drift = findDrift(made, inspected);
  if (drift.length === 0) return true;
  if (drift.some((difference) => difference.startsWith('name '))) {
    await renameContainer(context, inspected.Id, made.name, signal);
  }
  if (drift.some((difference) => UPDATABLE.test(difference))) {
    await callDocker(context.docker, {
      method: 'POST',
      path: `/containers/${inspected.Id}/update`,
      body: {
        RestartPolicy: { Name: made.restart },
        ...(made.memory > 0 ? { Memory: made.memory, MemorySwap: made.memory } : {}),
        ...(made.memoryReservation > 0 ? { MemoryReservation: made.memoryReservation } : {}),
        ...(made.nanoCpus > 0 ? { NanoCpus: made.nanoCpus } : {}),
        ...(made.cpuShares > 0 ? { CpuShares: made.cpuShares } : {}),
      },
      signal,
    });
  }
  if (made.network !== undefined)
    await undoNetworkDrift(context, inspected, made.network, made.address, signal);
  const after = await inspectContainer(context, inspected.Id, signal);
  return after !== undefined && findDrift(made, after).length === 0;
}

export function labelsOf(inspected: InspectedContainer): Record<string, string> {
  return inspected.Config.Labels ?? {};
}

async function undoNetworkDrift(
  context: DockerContext,
  inspected: InspectedContainer,
  network: string,
  address: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const joined = Object.keys(inspected.NetworkSettings.Networks ?? {});
  if (!joined.includes(network)) {
    await callDocker(context.docker, {
      method: 'POST',
      path: `/networks/${network}/connect`,
      body: {
        Container: inspected.Id,
        ...(address === undefined
          ? {}
          : { EndpointConfig: { IPAMConfig: { IPv4Address: address } } }),
      },
      signal,
    });
  }
  for (const other of joined.filter((name) => name !== network)) {
    await callDocker(context.docker, {
      method: 'POST',
      path: `/networks/${other}/disconnect`,
      body: { Container: inspected.Id },
      signal,
    });
  }
}

async function orGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}
