import type { ContainerLine } from '#adapters/docker/logs.ts';
import { messageOf } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { PortTaken } from './port-taken.ts';
import { ship } from './ship-config.ts';
import type { SystemFiles } from './system-files.ts';

const CONFIG = 'haproxy.cfg';
const SERVER_LINE = /^ {2}server (\S+) /gm;
const SECTION = /^(?=(?:userlist|listen|frontend|backend) )/m;
const BIND_LINE = /^ {2}bind \S*:(\d+)/gm;

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
    const mark = markOf(text);
    const program = {
      name: 'HAProxy',
      reloads: 'SIGUSR2',
      judge: (lines: AsyncIterable<ContainerLine>, onBegun: () => void) =>
        judge(lines, mark, onBegun),
    } as const;
    await ship(context, files, { ...target, program, config: { [CONFIG]: marked(text) } }, signal);
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

/** The file of a Secret's certificate that HAProxy would not load, where it was that. */
export function refusedCertificate(error: unknown): string | undefined {
  return /unable to load [^']*'[^']*\/(tls-[^'/]+\.pem)'/.exec(messageOf(error))?.[1];
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
    if (port !== undefined) throw new PortTaken({ port: Number(port), protocol: 'TCP' });
    if (line.includes('Loading failure') || line.includes('Fatal errors found'))
      throw new Error(`HAProxy did not load its configuration: ${alerts.join(' ')}`);
  }
  return false;
}
