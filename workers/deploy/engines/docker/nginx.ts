import type { ContainerLine } from '#adapters/docker/logs.ts';
import type { UdpRole } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { PortTaken } from './port-taken.ts';
import { ship } from './ship-config.ts';
import type { SystemFiles } from './system-files.ts';

export const NGINX_CONFIG = 'nginx.conf';
const BIND_FAILED = /bind\(\) to \S+:(\d+) failed \(98:/;
const SERVER = /^ {2}server \{\n {4}listen (\d+) udp;\n(?: {4}.*\n)* {2}\}\n/gm;

/**
 * Ships a configuration and waits until new datagrams meet it. The workers of before send on what pods answer; what
 * clients send goes to the new one, to the same pod as before where that is still there.
 */
export async function loadNginx(
  context: DockerContext,
  files: SystemFiles,
  target: { role: UdpRole; container: InspectedContainer; sandbox: InspectedContainer },
  { text, before }: { text: string; before: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { role, sandbox } = target;
  const program = { name: 'nginx', reloads: 'SIGHUP', judge: judgeNginx } as const;
  try {
    await ship(context, files, { ...target, program, config: { [NGINX_CONFIG]: text } }, signal);
  } catch (error) {
    if (before !== undefined && !signal.aborted)
      await files.write(sandbox.Id, role, { [NGINX_CONFIG]: before }, signal);
    throw error;
  }
}

/** The configuration without the servers that listen on one of the host's ports. */
export function withoutListeners(text: string, ports: ReadonlySet<number>): string {
  return text.replace(SERVER, (server, port: string) => (ports.has(Number(port)) ? '' : server));
}

/** Whether nginx's master said that it started workers with what it read; throws what it said where it refused. */
export async function judgeNginx(
  lines: AsyncIterable<ContainerLine>,
  onBegun: () => void,
): Promise<boolean> {
  let isBegun = false;
  let port: number | undefined;
  for await (const { line } of lines) {
    if (line.includes('(SIGHUP) received, reconfiguring') || /\] 1#1: nginx\/\d/.test(line)) {
      isBegun = true;
      onBegun();
    }
    if (isBegun && line.includes('start worker process ')) return true;
    if (!line.includes('[emerg]')) continue;
    const failed = BIND_FAILED.exec(line)?.[1];
    // It tries for a while.
    if (failed !== undefined) port = Number(failed);
    else if (port !== undefined) throw new PortTaken({ port, protocol: 'UDP' });
    else throw new Error(`nginx did not load its configuration: ${line}`);
  }
  return false;
}
