import type { HostPort } from '#core/docker/node-ports.ts';
import type { UdpConfig, UdpRole } from '#core/docker/world.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import type { ClusterNetwork } from './network.ts';
import { loadNginx, NGINX_CONFIG, withoutListeners } from './nginx.ts';
import { PortTaken } from './port-taken.ts';
import {
  isApart,
  isJoined,
  nginxIn,
  removeSystemContainers,
  udpEdgeIn,
} from './system-containers.ts';
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
  place: { network: ClusterNetwork; sandbox: InspectedContainer },
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
      container.State.Status === 'running' && (isApart(role) || isJoined(container, sandbox));
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

  function specOf(
    { network, sandbox }: Parameters<ConfigureUdp>[0],
    role: UdpRole,
    ports: readonly number[],
  ): SystemSpec {
    if (!isApart(role)) return nginxIn(context, role, `container:${sandbox.Id}`);
    return udpEdgeIn(context, network, ports.map(ofUdp));
  }

  return async (place, role, config, signal) => {
    if (config.nginx === '') {
      await removeSystemContainers(context, [role], signal);
      return [];
    }
    const { sandbox } = place;
    const taken = new Set<number>();
    for (;;) {
      const open = config.ports.filter((port) => !taken.has(port));
      const container = await ensure(specOf(place, role, open), signal);
      const text = withoutListeners(config.nginx, taken);
      const left = taken.size === 0 ? '' : ` without ${[...taken].join(',')}`;
      const hash = isApart(role)
        ? `${config.hash}${left}`
        : `${config.hash} ${sandbox.State.StartedAt}`;
      try {
        await load(sandbox, { role, container }, { ...config, text, hash }, signal);
        return [...taken].map(ofUdp);
      } catch (error) {
        const port = error instanceof PortTaken ? error.port : refusedPort(error);
        if (port === undefined || taken.has(port)) throw error;
        taken.add(port);
      }
    }
  };
}

function ofUdp(port: number): HostPort {
  return { port, protocol: 'UDP' };
}

/** The port of the host that Docker could not lead anywhere, where it was that. */
function refusedPort(error: unknown): number | undefined {
  const [, port] =
    /:(\d+)(?: failed: port is already allocated|: bind: address already in use)/.exec(
      messageOf(error),
    ) ?? [];
  return port === undefined ? undefined : Number(port);
}
