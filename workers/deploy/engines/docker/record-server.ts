import type { ContainerLine } from '#adapters/docker/logs.ts';
import { UNBOUND_PORT } from '#core/docker/dns-records.ts';
import type { DnsConfig, RecordsConfig } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { ship } from './ship-config.ts';
import { recordServerIn, removeSystemContainers } from './system-containers.ts';
import type { SystemSpec } from './system-containers.ts';
import type { SystemContent } from './system-content.ts';
import type { SystemFiles } from './system-files.ts';

const ROLE = 'name-records';
const CONFIG = 'unbound.conf';

interface RecordParts {
  context: DockerContext;
  files: SystemFiles;
  content: SystemContent;
  ensure: (spec: SystemSpec, signal: AbortSignal) => Promise<InspectedContainer>;
}

/** Has unbound answer what dnsmasq cannot; where there is nothing of that, it is not needed. */
export type ConfigureRecords = (
  sandbox: InspectedContainer,
  config: RecordsConfig,
  signal: AbortSignal,
) => Promise<void>;

export function createRecordServer({
  context,
  files,
  content,
  ensure,
}: RecordParts): ConfigureRecords {
  return async (sandbox, { unbound, hash }, signal) => {
    if (unbound === '') return removeSystemContainers(context, [ROLE], signal);
    const container = await ensure(recordServerIn(context, sandbox.Id), signal);
    const target = { role: ROLE, container, sandbox } as const;
    await content.writeHash(target, '', signal);
    const program = { name: 'unbound', reloads: 'SIGHUP', judge: judgeUnbound } as const;
    await ship(context, files, { ...target, program, config: { [CONFIG]: unbound } }, signal);
    return content.writeHash(target, `${hash} ${sandbox.State.StartedAt}`, signal);
  };
}

/** For dnsmasq: which names it leaves to unbound. */
export function serversFile({ domains }: DnsConfig): string {
  return domains.map((domain) => `server=/${domain}/127.0.0.1#${UNBOUND_PORT}\n`).join('');
}

/** Whether unbound said that it serves with what it read; throws what it said where it refused. */
export async function judgeUnbound(
  lines: AsyncIterable<ContainerLine>,
  onBegun: () => void,
): Promise<boolean> {
  for await (const { line } of lines) {
    if (line.includes('service stopped') || line.includes('Restart of unbound')) onBegun();
    if (line.includes('start of service')) return true;
    if (/ (?:error|fatal error): |: error: /.test(line))
      throw new Error(`unbound did not load its configuration: ${line}`);
  }
  return false;
}
