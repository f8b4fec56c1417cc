import { createInterface } from 'node:readline';
import { callDocker, openStream } from '#adapters/docker/call.ts';
import { connectDocker } from '#adapters/docker/connect.ts';
import { runInContainer } from '#adapters/docker/exec.ts';

const docker = connectDocker('unix:///var/run/docker.sock');
const TIMEOUT_MS = 60_000;

interface Listed {
  Id: string;
  State: string;
  Labels: Record<string, string>;
}

interface CreateEvent {
  Actor: { Attributes: { name: string } };
}

/** Containers of pods by the name they have there. */
export function containersOf(installation: string, name: string): Promise<Listed[]> {
  return callDocker<Listed[]>(docker, {
    method: 'GET',
    path: '/containers/json',
    query: { all: true, filters: filters(installation, [`windlass.dev/container=${name}`]) },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** Collects the names of all containers that are created from now on, one for each time; Docker itself forgets soon. */
export async function followCreated(
  installation: string,
): Promise<{ names: readonly string[]; stop: () => void }> {
  const names: string[] = [];
  const labels = [`windlass.dev/installation=${installation}`];
  const stream = await openStream(docker, {
    method: 'GET',
    path: '/events',
    query: {
      since: Date.now() / 1_000,
      filters: JSON.stringify({ type: ['container'], event: ['create'], label: labels }),
    },
    signal: new AbortController().signal,
  });
  createInterface(stream).on('line', (line) =>
    names.push((JSON.parse(line) as CreateEvent).Actor.Attributes.name),
  );
  return { names, stop: () => stream.destroy() };
}

/** What the command prints. */
export async function execIn(container: string, ...command: string[]): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return (await runInContainer(docker, { container, command }, signal)).stdout.trim();
}

/** Of its main process; 0 while it does not run. */
export async function pidOf(container: string): Promise<number> {
  const { State } = await callDocker<{ State: { Pid: number } }>(docker, {
    method: 'GET',
    path: `/containers/${container}/json`,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return State.Pid;
}

function filters(installation: string, labels: readonly string[]): string {
  return JSON.stringify({ label: [`windlass.dev/installation=${installation}`, ...labels] });
}
