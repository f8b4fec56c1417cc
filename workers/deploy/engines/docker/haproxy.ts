import { setTimeout as sleep } from 'node:timers/promises';
import { putFiles, readFile } from '#adapters/docker/archive.ts';
import type { ArchiveEntry } from '#adapters/docker/archive.ts';
import { followLogs } from '#adapters/docker/logs.ts';
import { UserError } from '#core/errors.ts';
import { restartContainer, signalContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { isJoined, SYSTEM_FOLDER } from './system-containers.ts';

const LOAD_TIMEOUT_MS = 15_000;
const LOG_RETRY_MS = 50;
const CONFIG = 'haproxy.cfg';
const SERVER_LINE = /^ {2}server (\S+) /gm;
const SECTION = /^(?=listen )/m;
const BIND_LINE = /^ {2}bind \S*:(\d+)/gm;

/** A port of the host that somebody else has. */
export class PortTaken extends UserError {
  readonly port: number;

  constructor(port: number) {
    super('conflict', portTaken(port));
    this.port = port;
  }
}

export function portTaken(port: number): string {
  return (
    `nodePort ${port} is in use by another program on the host: ` +
    `give the Service another one, or stop what listens there (ss -ltnp 'sport = :${port}')`
  );
}

/**
 * Ships a configuration and waits until new connections meet it. HAProxy's master checks it when it loads: one that it
 * refuses is taken back, and the worker of before serves on. No connection is lost, since workers hand over their sockets.
 */
export async function loadHaproxy(
  context: DockerContext,
  container: InspectedContainer,
  sandbox: InspectedContainer | undefined,
  { text, before }: { text: string; before: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  await writeFiles(context, container.Id, { [CONFIG]: text, hash: '' }, signal);
  const since = Date.now();
  try {
    await reload(context, container, sandbox, signal);
    await waitUntilLoaded(context, container.Id, since, signal);
  } catch (error) {
    if (before !== undefined && !signal.aborted)
      await writeFiles(context, container.Id, { [CONFIG]: before }, signal);
    throw error;
  }
}

/** The configuration it has; absent before the first. */
export function readHaproxy(
  context: DockerContext,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return readFile(context.docker, id, `${SYSTEM_FOLDER}/${CONFIG}`, signal);
}

export async function writeFiles(
  context: DockerContext,
  id: string,
  files: Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const folder = SYSTEM_FOLDER.slice(1);
  const entries = Object.entries(files).map(([name, content]): ArchiveEntry => {
    return { kind: 'file', path: `${folder}/${name}`, content, mode: 0o644 };
  });
  await putFiles(
    context.docker,
    id,
    [{ kind: 'directory', path: folder, mode: 0o755 }, ...entries],
    signal,
  );
}

/** Names of the servers in a configuration: the pods that get traffic by it. */
export function serversIn(text: string): string[] {
  return [...text.matchAll(SERVER_LINE)].map(([, name = '']) => name);
}

/** The configuration without the sections that bind one of the ports. */
export function withoutPorts(text: string, ports: ReadonlySet<number>): string {
  return text
    .split(SECTION)
    .filter((section) => !portsIn(section).some((port) => ports.has(port)))
    .join('');
}

export function portsIn(text: string): number[] {
  return [...text.matchAll(BIND_LINE)].map(([, port]) => Number(port));
}

async function reload(
  context: DockerContext,
  container: InspectedContainer,
  sandbox: InspectedContainer | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (container.State.Status === 'restarting')
    await restartContainer(context, container.Id, 0, signal);
  else if (container.State.Status !== 'running')
    await startContainer(context, container.Id, signal);
  else if (sandbox !== undefined && !isJoined(container, sandbox))
    await restartContainer(context, container.Id, 0, signal);
  else await signalContainer(context, container.Id, 'SIGUSR2', signal);
}

/**
 * Waits until HAProxy's master says that a new worker took over, or why not. Docker may end the stream early, as when it
 * starts the container anew: what it wrote is then read again.
 */
async function waitUntilLoaded(
  context: DockerContext,
  id: string,
  since: number,
  signal: AbortSignal,
): Promise<void> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
  let alerts: string[] = [];
  let isRefused = false;
  while (!ends.aborted && !isRefused) {
    alerts = [];
    for await (const { line } of followLogs(context.docker, id, { follow: true, since }, ends)) {
      if (line.includes('Loading success')) return;
      if (line.startsWith('[ALERT]')) alerts.push(line);
      const port = /cannot bind socket.*:(\d+)\]/.exec(line)?.[1];
      if (port !== undefined) throw new PortTaken(Number(port));
      isRefused ||= line.includes('Loading failure') || line.includes('Fatal errors found');
      if (isRefused) break;
    }
    if (!isRefused) await sleep(LOG_RETRY_MS);
  }
  signal.throwIfAborted();
  const reason =
    alerts.length === 0 ? `it said nothing in ${LOAD_TIMEOUT_MS / 1_000} s` : alerts.join(' ');
  throw new Error(`HAProxy did not load its configuration: ${reason}`);
}
