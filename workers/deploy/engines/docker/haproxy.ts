import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerLine } from '#adapters/docker/logs.ts';
import { messageOf } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { isOfKept, keepSockets, withoutKept } from './kept-sockets.ts';
import { PortTaken } from './port-taken.ts';
import { ship } from './ship-config.ts';
import type { HaproxyRole } from './system-containers.ts';
import type { SystemFiles } from './system-files.ts';

const CONFIG = 'haproxy.cfg';
const SERVER_LINE = /^ {2}server ([^\s:]+) /gm;
const SECTION = /^(?=(?:userlist|listen|frontend|backend) )/m;
const BIND_LINE = /^ {2}bind \S*:(\d+)/gm;
/**
 * By then a worker has been told by the one before which client met which server. One that the next configuration ends
 * before cannot tell it on.
 */
const TELLS_MS = 1_000;
/** A try lasts for a second where the worker has no time to hand over its sockets. */
const HAND_OVER_TRIES = 20;

/** The HAProxy that is meant, and the sandbox that writes its files. */
export interface HaproxyTarget {
  role: HaproxyRole;
  container: InspectedContainer;
  sandbox: InspectedContainer;
}

/** The worker of before did not hand over its sockets in time; it serves on. */
class HandOverMissed extends Error {}

/**
 * Ships a configuration and waits until new connections meet it. HAProxy's master checks it when it loads: one that it
 * refuses is taken back, and the worker of before serves on. No connection is lost, since workers hand over their sockets; where
 * one has no time for that, it is asked again.
 */
export async function loadHaproxy(
  context: DockerContext,
  files: SystemFiles,
  target: HaproxyTarget,
  { text, before }: { text: string; before: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { role, sandbox } = target;
  const mark = markOf(text);
  const program = {
    name: 'HAProxy',
    reloads: 'SIGUSR2',
    judge: (lines: AsyncIterable<ContainerLine>, onBegun: () => void) =>
      judge(lines, mark, onBegun),
  } as const;
  let had = before;
  try {
    for (let tries = 1; ; tries += 1) {
      const config = { [CONFIG]: marked(text, had) };
      try {
        await ship(context, files, { ...target, program, config }, signal);
        if (keepsClients(text)) await sleep(TELLS_MS, undefined, { signal });
        return;
      } catch (error) {
        const isMissed = error instanceof HandOverMissed;
        // What was written before may never have been loaded.
        const isStrange = had !== undefined && !isMissed && isOfKept(error);
        if (tries === HAND_OVER_TRIES || !(isMissed || isStrange)) throw error;
        if (isStrange) had = undefined;
        context.log.info({ cluster: context.cluster, role, tries }, messageOf(error));
      }
    }
  } catch (error) {
    if (before !== undefined && !signal.aborted)
      await files.write(sandbox.Id, role, { [CONFIG]: marked(before, before) }, signal);
    throw error;
  }
}

/** The configuration it has; absent before the first. */
export async function readHaproxy(
  files: SystemFiles,
  container: InspectedContainer,
  role: HaproxyRole,
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

function keepsClients(text: string): boolean {
  return / stick-table .* peers /.test(text);
}

export function portsIn(text: string): number[] {
  return [...text.matchAll(BIND_LINE)].map(([, port]) => Number(port));
}

/** The file of a Secret's certificate that HAProxy would not load, where it was that. */
export function refusedCertificate(error: unknown): string | undefined {
  return /unable to load [^']*'[^']*\/(tls-[^'/]+\.pem)'/.exec(messageOf(error))?.[1];
}

/**
 * The configuration as HAProxy reads it, after that of `before`: with a first line that it tells when it does, so that its
 * verdict is of that one and no other.
 */
export function marked(text: string, before: string | undefined): string {
  return `.notice "${markOf(text)}"\n${keepSockets(text, before)}`;
}

export function withoutMark(text: string): string {
  return withoutKept(text.replace(/^\.notice .*\n/, ''));
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
  let isMissed = false;
  for await (const { line } of lines) {
    if (line.includes('Reloading HAProxy') || line.includes('.cfg:1]')) {
      onBegun();
      isMeant = line.includes(`'${mark}'`);
      alerts = [];
      isMissed = false;
    }
    if (!isMeant) continue;
    if (line.includes('Loading success')) return true;
    if (line.startsWith('[ALERT]')) alerts.push(line);
    if (line.includes('Failed to get the sockets from the old process')) isMissed = true;
    const isRefused = line.includes('Loading failure') || line.includes('Fatal errors found');
    if (isRefused && isMissed)
      throw new HandOverMissed(
        'HAProxy had no time to hand over its sockets, as on a machine that is busy with other things',
      );
    const port = /cannot bind socket \(Address already in use\).*:(\d+)\]/.exec(line)?.[1];
    if (port !== undefined && !isMissed)
      throw new PortTaken({ port: Number(port), protocol: 'TCP' });
    if (isRefused) throw new Error(`HAProxy did not load its configuration: ${alerts.join(' ')}`);
  }
  return false;
}
