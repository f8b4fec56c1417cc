import { setTimeout as sleep } from 'node:timers/promises';
import { followLogs, followOutput } from '#adapters/docker/logs.ts';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import { restartContainer, signalContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { isJoined } from './system-containers.ts';
import type { SystemFiles } from './system-files.ts';

const LOAD_TIMEOUT_MS = 15_000;
const LOG_RETRY_MS = 50;
const SIGNAL_AGAIN_MS = 300;
const CONFIG = 'haproxy.cfg';
const SERVER_LINE = /^ {2}server (\S+) /gm;
const SECTION = /^(?=(?:listen|frontend|backend) )/m;
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
    `port ${port} is in use by another program on the host: ` +
    `give the Service another one (Ingresses: the Cluster's spec.ingress), or stop what listens there (ss -ltnp 'sport = :${port}')`
  );
}

/** The HAProxy that is meant, and the sandbox that writes its files. */
export interface HaproxyTarget {
  role: 'proxy' | 'edge';
  container: InspectedContainer;
  sandbox: InspectedContainer;
}

/**
 * Ships a configuration and waits until new connections meet it. HAProxy's master checks it when it loads: one that it
 * refuses is taken back, and the worker of before serves on. No connection is lost, since workers hand over their sockets.
 */
export async function loadHaproxy(
  context: DockerContext,
  files: SystemFiles,
  target: HaproxyTarget,
  { text, before }: { text: string; before: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { role, sandbox } = target;
  try {
    await ship(context, files, target, text, signal);
  } catch (error) {
    if (before !== undefined && !signal.aborted)
      await files.write(sandbox.Id, role, { [CONFIG]: marked(before) }, signal);
    throw error;
  }
}

/** The configuration it has; absent before the first. */
export async function readHaproxy(
  files: SystemFiles,
  container: InspectedContainer,
  role: 'proxy' | 'edge',
  signal: AbortSignal,
): Promise<string | undefined> {
  const text = await files.read(container.Id, role, CONFIG, signal);
  return text === undefined ? undefined : withoutMark(text);
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

/** The configuration with a first line that HAProxy tells when it reads it: its verdict is of that one and no other. */
export function marked(text: string): string {
  return `.notice "${markOf(text)}"\n${text}`;
}

export function withoutMark(text: string): string {
  return text.replace(/^\.notice .*\n/, '');
}

function markOf(text: string): string {
  return `configuration ${contentHash(text)}`;
}

async function ship(
  context: DockerContext,
  files: SystemFiles,
  { role, container, sandbox }: HaproxyTarget,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  const { Id: id, State } = container;
  const isJoint = role === 'edge' || isJoined(container, sandbox);
  const writing = files.write(sandbox.Id, role, { hash: '', [CONFIG]: marked(text) }, signal);
  const ends = AbortSignal.any([signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
  const since = Date.now();
  if (State.Status === 'running' && isJoint) {
    const [output] = await Promise.all([followOutput(context.docker, id, ends), writing]);
    if (await reload(context, id, readVerdict(output, markOf(text)), ends)) return;
  } else {
    await writing;
    if (State.Status === 'running' || State.Status === 'restarting')
      await restartContainer(context, id, 0, signal);
    else await startContainer(context, id, signal);
  }
  await waitUntilLoaded(context, id, markOf(text), since, { ends, signal });
}

/** False where its output ended before it said anything: Docker started it anew, or ends the stream early. */
async function reload(
  context: DockerContext,
  id: string,
  verdict: Verdict,
  signal: AbortSignal,
): Promise<boolean> {
  let isTaken = false;
  const taken = Promise.race([verdict.begun, verdict.ended]).then(() => {
    isTaken = true;
  });
  // HAProxy loses a signal that it gets just after it has loaded.
  while (!isTaken && !signal.aborted) {
    await signalContainer(context, id, 'SIGUSR2', signal);
    await Promise.race([taken, sleep(SIGNAL_AGAIN_MS)]);
  }
  return verdict.ended;
}

interface Verdict {
  /** It began to load something. */
  begun: Promise<void>;
  /** True when it loaded what is meant; false when the lines ended before. Rejects with why it refused. */
  ended: Promise<boolean>;
}

function readVerdict(lines: AsyncIterable<ContainerLine>, mark: string): Verdict {
  const begun = Promise.withResolvers<void>();
  const ended = judge(lines, mark, begun.resolve);
  ended.catch(() => {
    // Told to whoever awaits it.
  });
  return { begun: begun.promise, ended };
}

/** Whether HAProxy's master said that it loaded what is marked so; throws what it said where it refused. */
export async function judge(
  lines: AsyncIterable<ContainerLine>,
  mark: string,
  onBegun: () => void,
): Promise<boolean> {
  let isMeant = false;
  let alerts: string[] = [];
  for await (const { line } of lines) {
    if (line.includes('Reloading HAProxy') || line.includes('.cfg:1]')) {
      onBegun();
      isMeant = line.includes(`'${mark}'`);
      alerts = [];
    }
    if (!isMeant) continue;
    if (line.includes('Loading success')) return true;
    if (line.startsWith('[ALERT]')) alerts.push(line);
    const port = /cannot bind socket.*:(\d+)\]/.exec(line)?.[1];
    if (port !== undefined) throw new PortTaken(Number(port));
    if (line.includes('Loading failure') || line.includes('Fatal errors found'))
      throw new Error(`HAProxy did not load its configuration: ${alerts.join(' ')}`);
  }
  return false;
}

/** By what it has written to its log, as often as it takes. */
async function waitUntilLoaded(
  context: DockerContext,
  id: string,
  mark: string,
  since: number,
  { ends, signal }: { ends: AbortSignal; signal: AbortSignal },
): Promise<void> {
  while (!ends.aborted) {
    const lines = followLogs(context.docker, id, { follow: true, since }, ends);
    if (await readVerdict(lines, mark).ended) return;
    await sleep(LOG_RETRY_MS);
  }
  signal.throwIfAborted();
  throw new Error(
    `HAProxy did not load its configuration: it said nothing in ${LOAD_TIMEOUT_MS / 1_000} s`,
  );
}
