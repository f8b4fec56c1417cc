import type { HostPort } from '#core/docker/node-ports.ts';
import type { UdpConfig, UdpRole } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { loadNginx, NGINX_CONFIG, withoutListeners } from './nginx.ts';
import { PortTaken } from './port-taken.ts';
import { isJoined, isOnHost, nginxIn, removeSystemContainers } from './system-containers.ts';
import type { SystemSpec } from './system-containers.ts';
import type { SystemContent } from './system-content.ts';
import type { SystemFiles } from './system-files.ts';

/** Where the datagrams of what runs go, one `address:port` each line. */
const ENDPOINTS = 'endpoints';

interface UdpParts {
  context: DockerContext;
  files: SystemFiles;
  content: SystemContent;
  ensure: (spec: SystemSpec, signal: AbortSignal) => Promise<InspectedContainer>;
}

/** Has a proxy carry UDP as configured; answers the ports it had to leave out, since somebody else has them. */
export type ConfigureUdp = (
  sandbox: InspectedContainer,
  role: UdpRole,
  config: UdpConfig,
  signal: AbortSignal,
) => Promise<HostPort[]>;

export function createUdpProxies({ context, files, content, ensure }: UdpParts): ConfigureUdp {
  /** New pods are found by their names; nginx is told only of what that does not tell it. */
  async function load(
    sandbox: InspectedContainer,
    { role, container }: { role: UdpRole; container: InspectedContainer },
    { text, endpoints, hash }: { text: string; endpoints: readonly string[]; hash: string },
    signal: AbortSignal,
  ): Promise<void> {
    const target = { role, container, sandbox };
    const isUp =
      container.State.Status === 'running' && (isOnHost(role) || isJoined(container, sandbox));
    const known = await content.hashOf(container, role, signal);
    const before = await files.read(container.Id, role, NGINX_CONFIG, signal);
    const had = (await files.read(container.Id, role, ENDPOINTS, signal))?.split('\n') ?? [];
    const isSame = isUp && known !== '' && text === before;
    if (!isSame || had.some((endpoint) => endpoint !== '' && !endpoints.includes(endpoint))) {
      await content.writeHash(target, '', signal);
      await loadNginx(context, files, target, { text, before }, signal);
    }
    await files.write(sandbox.Id, role, { [ENDPOINTS]: endpoints.join('\n') }, signal);
    await content.writeHash(target, hash, signal);
  }

  return async (sandbox, role, config, signal) => {
    if (config.nginx === '') {
      await removeSystemContainers(context, [role], signal);
      return [];
    }
    const spec = nginxIn(context, role, isOnHost(role) ? 'host' : `container:${sandbox.Id}`);
    const taken = new Set<number>();
    for (;;) {
      const container = await ensure(spec, signal);
      const text = withoutListeners(config.nginx, taken);
      const left = taken.size === 0 ? '' : ` without ${[...taken].join(',')}`;
      const hash = isOnHost(role)
        ? `${config.hash}${left}`
        : `${config.hash} ${sandbox.State.StartedAt}`;
      try {
        await load(sandbox, { role, container }, { ...config, text, hash }, signal);
        return [...taken].map((port) => ({ port, protocol: 'UDP' }));
      } catch (error) {
        if (!(error instanceof PortTaken) || taken.has(error.port)) throw error;
        taken.add(error.port);
      }
    }
  };
}
