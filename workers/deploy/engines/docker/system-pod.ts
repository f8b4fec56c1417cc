import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPort } from '#core/docker/node-ports.ts';
import type {
  CertificateFacts,
  DnsConfig,
  EdgeConfig,
  ProxyConfig,
  RecordsConfig,
  UdpConfig,
  UdpRole,
} from '#core/docker/world.ts';
import { createEdgeSecrets } from './edge-secrets.ts';
import { labelsOf, restartContainer, signalContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import { portsIn, refusedCertificate, serversIn, withoutPorts } from './haproxy.ts';
import type { HaproxyTarget } from './haproxy.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import type { InternalCa } from './internal-ca.ts';
import { LABEL } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import { dueAt } from './noted-times.ts';
import { PortTaken } from './port-taken.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import {
  edgeIn,
  ensureSystemContainer,
  frontIn,
  haproxyIn,
  isJoined,
  isSound,
  nameServerIn,
  isOfSpec,
  proxySandbox,
  removeSystemContainers,
  SYSTEM_ROLES,
} from './system-containers.ts';
import type { BringImage, EdgeRole, HaproxyRole, SystemSpec } from './system-containers.ts';
import { createSystemContent } from './system-content.ts';
import { createSystemFiles, removeSystemVolumes } from './system-files.ts';
import { createRecordServer, serversFile } from './record-server.ts';
import { findRefused } from './try-ports.ts';
import { createUdpProxies } from './udp-proxies.ts';

/** A port that somebody else has is not tried again at once: each try may make the other NodePorts wait. */
const PORT_RETRY_MS = 30_000;
/** A port that was the edge's own is another program's if it is not free after so long. */
const OWN_PORT_TRIES = 20;
const OWN_PORT_RETRY_MS = 250;

/** Adds the addresses given to the interface, and takes those of before away. */
function addressScript(addresses: readonly string[]): string {
  return `
want=" ${addresses.join(' ')} "
have=" $(ip -4 -o addr show dev eth0 | awk '$4 ~ "/32$" { sub("/32", "", $4); print $4 }' | tr '\\n' ' ')"
for address in $have; do
  case "$want" in *" $address "*) ;; *) ip addr del "$address/32" dev eth0 ;; esac
done
for address in $want; do
  case "$have" in *" $address "*) ;; *) ip addr add "$address/32" dev eth0 ;; esac
done
`;
}

function dnsWaitScript(address: string): string {
  return `
for i in $(seq 100); do
  if nc -w 1 ${address} 53 < /dev/null > /dev/null 2>&1; then exit 0; fi
  usleep 50000
done
exit 1
`;
}

/** What the cluster's own containers run with. */
export interface SystemState {
  proxy?: string;
  dns?: string;
  edge?: string;
  udpProxy?: string;
  udpEdge?: string;
  /** What is known of the edge's certificates, by file. */
  certificates: Readonly<Record<string, CertificateFacts>>;
  nameRecords?: string;
  /** The running sandbox of the proxy, from where pods are probed. */
  sandboxId?: string;
  /** NodePorts that are not served, since another program of the host has them; tried again at `retryAt` (ms). */
  taken?: { ports: readonly HostPort[]; retryAt: number };
}

/** What one of those on the host's network could not have of a configuration. */
interface Withheld {
  hash: string;
  ports: readonly HostPort[];
  retryAt: number;
}

function retryTime({ retryAt }: Withheld): number {
  return dueAt(retryAt, PORT_RETRY_MS, Date.now());
}

/** Answers whether something accepts connections there; absent where that cannot be found out. */
type CanConnect = (address: string, port: number) => Promise<boolean | undefined>;

/** The cluster's proxy, name server and edge. What they run with is read back from them, so a new worker knows it. */
export interface SystemPod {
  observe(found: readonly InspectedContainer[], signal: AbortSignal): Promise<SystemState>;
  /** Names of the pods that get traffic by the configuration that is there, or their addresses. */
  servedPods(found: readonly InspectedContainer[], signal: AbortSignal): Promise<Set<string>>;
  configureProxy(network: ClusterNetwork, config: ProxyConfig, signal: AbortSignal): Promise<void>;
  configureDns(network: ClusterNetwork, config: DnsConfig, signal: AbortSignal): Promise<void>;
  /** A port that somebody else has is left out, so that the others are served. */
  configureEdge(network: ClusterNetwork, config: EdgeConfig, signal: AbortSignal): Promise<void>;
  configureRecords(
    network: ClusterNetwork,
    config: RecordsConfig,
    signal: AbortSignal,
  ): Promise<void>;
  /** After the others: it needs the Services' addresses and the pods' names. */
  configureUdp(
    network: ClusterNetwork,
    role: UdpRole,
    config: UdpConfig,
    signal: AbortSignal,
  ): Promise<void>;
  /** Tries ports that others had again with the next configuration; whether there are such. */
  retryPorts(): boolean;
  removeAll(signal: AbortSignal): Promise<void>;
}

export function createSystemPod(
  context: DockerContext,
  shell: SandboxShell,
  ca: InternalCa,
  { canConnect, bring }: { canConnect: CanConnect; bring: BringImage },
): SystemPod {
  const files = createSystemFiles(context, shell);
  const content = createSystemContent(context, files);
  const secrets = createEdgeSecrets(context, shell, files, ca);
  /** Ports of the host that were the edge's. */
  const had = new Set<number>();
  const withheld = new Map<'edge' | 'udp-edge', Withheld>();

  /** As they were when the world was last looked at. */
  let seen = new Map<string, InspectedContainer>();
  let ensuringSandbox: Promise<InspectedContainer> | undefined;

  /** What is on the interface of the sandbox as it runs now; asked for only when it is to change. */
  let onInterface = '';

  async function setAddresses(
    sandbox: InspectedContainer,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = [sandbox.Id, sandbox.State.StartedAt, ...addresses].join(' ');
    if (onInterface === wanted) return;
    await shell.run(sandbox.Id, addressScript(addresses), signal);
    onInterface = wanted;
  }

  /** Asks nothing of Docker about one that was seen to be as it should be. */
  async function ensure(spec: SystemSpec, signal: AbortSignal): Promise<InspectedContainer> {
    const known = seen.get(spec.role);
    seen.delete(spec.role);
    if (known !== undefined && isSound(known) && isOfSpec(context, spec, known)) return known;
    return ensureSystemContainer(context, spec, bring, signal);
  }

  const carryUdp = createUdpProxies({ context, files, content, ensure });
  const serveRecords = createRecordServer({ context, files, content, ensure });

  /** The hash of what one with ports of the host runs with, where it is as good as can be had for now. */
  async function hashOnHost(
    role: EdgeRole,
    container: InspectedContainer,
    signal: AbortSignal,
  ): Promise<string> {
    if (!isSound(container)) return '';
    const hash = await content.hashOf(container, role, signal);
    const lacks = withheld.get(role === 'udp-edge' ? 'udp-edge' : 'edge');
    const isLacking = lacks !== undefined && hash.startsWith(`${lacks.hash} `);
    return isLacking && retryTime(lacks) > Date.now() ? lacks.hash : hash;
  }

  function withhold(
    role: 'edge' | 'udp-edge',
    { hash }: { hash: string },
    ports: readonly HostPort[],
  ): void {
    if (ports.length === 0) withheld.delete(role);
    else withheld.set(role, { hash, ports, retryAt: Date.now() + PORT_RETRY_MS });
  }

  /** Once for all who ask for it meanwhile. */
  function ensureSandbox(
    network: ClusterNetwork,
    signal: AbortSignal,
  ): Promise<InspectedContainer> {
    ensuringSandbox ??= makeSandbox(network, signal).finally(() => {
      ensuringSandbox = undefined;
    });
    return ensuringSandbox;
  }

  async function makeSandbox(
    network: ClusterNetwork,
    signal: AbortSignal,
  ): Promise<InspectedContainer> {
    const found = await ensure(proxySandbox(context, network), signal);
    if (found.State.Status === 'running') return found;
    await startContainer(context, found.Id, signal);
    const started = await inspectContainer(context, found.Id, signal);
    if (started === undefined) throw new Error("the proxy's sandbox went away while it was made");
    return started;
  }

  /** Those of the ports that something else has; ours that are open already are not asked about. */
  async function findTaken(
    network: ClusterNetwork,
    ports: readonly number[],
    { role, container }: { role: HaproxyRole; container: InspectedContainer },
    signal: AbortSignal,
  ): Promise<Set<number>> {
    const isRunning = container.State.Status === 'running';
    const running = isRunning ? await content.textOf(container, role, signal) : undefined;
    const open = new Set(portsIn(running ?? ''));
    const others = ports.filter((port) => !open.has(port));
    const answered = await Promise.all(
      others
        .filter((port) => !had.has(port))
        .map(async (port) => ((await canConnect(network.gateway, port)) === true ? [port] : [])),
    );
    for (const port of open) had.add(port);
    const refused = isRunning ? await findHeld(container.Id, others, signal) : [];
    return new Set([...answered.flat(), ...refused]);
  }

  /** A worker of ours that ends may have a port that was given up for a moment more. */
  async function findHeld(
    container: string,
    ports: readonly number[],
    signal: AbortSignal,
  ): Promise<number[]> {
    for (let tries = 1; ports.length > 0; tries += 1) {
      const refused = await findRefused(context, container, ports, signal);
      if (!refused.some((port) => had.has(port))) return refused;
      if (tries === OWN_PORT_TRIES) {
        // Another program's by now: it is not to be waited for at every change.
        for (const port of refused) had.delete(port);
        return refused;
      }
      await sleep(OWN_PORT_RETRY_MS, undefined, { signal });
    }
    return [];
  }

  /** What has the host's ports counts as much where the edge is behind it. */
  async function hashOfEdge(
    edge: InspectedContainer,
    front: InspectedContainer | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const hash = await hashOnHost('edge', edge, signal);
    if (edge.HostConfig.NetworkMode === 'host') return hash;
    const ahead = front === undefined ? '' : await hashOnHost('edge-front', front, signal);
    return ahead === hash ? hash : '';
  }

  /** Not where it runs with that already. */
  async function loadOther(
    target: HaproxyTarget,
    next: { text: string; hash: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { container, role } = target;
    const isRunning = container.State.Status === 'running';
    const running = isRunning ? await content.textOf(container, role, signal) : undefined;
    // Without a hash it may have been written and never loaded.
    const isLoaded = (await content.hashOf(container, role, signal)) !== '';
    if (isLoaded && next.text === running) await content.writeHash(target, next.hash, signal);
    else await content.load(target, next, signal);
  }

  /** Answers the ports it had to leave out. */
  async function loadEdge(
    network: ClusterNetwork,
    config: EdgeConfig,
    signal: AbortSignal,
  ): Promise<Set<number>> {
    const sandbox = await ensureSandbox(network, signal);
    const spec = edgeIn(context, network);
    let taken: Set<number> | undefined;
    for (;;) {
      const edge = await ensure(spec, signal);
      const holder =
        config.front === undefined
          ? { role: 'edge' as const, container: edge }
          : { role: 'edge-front' as const, container: await ensure(frontIn(context), signal) };
      taken ??= await findTaken(network, config.ports, holder, signal);
      const text = withoutPorts(await secrets.put(sandbox, edge, config, signal), taken);
      try {
        const left = taken.size === 0 ? '' : ` without ${[...taken].join(',')}`;
        const hash = `${config.hash}${left}`;
        await loadOther({ role: 'edge', container: edge, sandbox }, { text, hash }, signal);
        if (config.front !== undefined) {
          const next = { text: withoutPorts(config.front, taken), hash };
          await loadOther({ ...holder, sandbox }, next, signal);
        }
        await secrets.keepOnly(sandbox, config, signal);
        return taken;
      } catch (error) {
        const refused = refusedCertificate(error);
        if (refused !== undefined && secrets.facts()[refused]?.problem === undefined) {
          secrets.refuse(refused);
          continue;
        }
        if (!(error instanceof PortTaken) || taken.has(error.port)) throw error;
        taken.add(error.port);
      }
    }
  }

  return {
    async observe(found, signal) {
      const byRole = new Map(
        found.map((container) => [labelsOf(container)[LABEL.role] ?? '', container]),
      );
      seen = new Map(byRole);
      content.keepOnly(new Set(found.map(({ Id }) => Id)));
      const state: SystemState = { certificates: secrets.facts() };
      const edge = byRole.get('edge');
      if (edge !== undefined) state.edge = await hashOfEdge(edge, byRole.get('edge-front'), signal);
      const udpEdge = byRole.get('udp-edge');
      if (udpEdge !== undefined) state.udpEdge = await hashOnHost('udp-edge', udpEdge, signal);
      const lacking = [...withheld.values()];
      if (lacking.length > 0)
        state.taken = {
          ports: lacking.flatMap(({ ports }) => ports),
          retryAt: Math.min(...lacking.map(retryTime)),
        };
      const sandbox = byRole.get('proxy-sandbox');
      // There, but not as it should be.
      if (byRole.has('udp-proxy')) state.udpProxy = '';
      if (byRole.has('name-records')) state.nameRecords = '';
      if (sandbox?.State.Status !== 'running') return state;
      state.sandboxId = sandbox.Id;
      if (!isSound(sandbox)) return state;
      for (const [key, role] of [
        ['proxy', 'proxy'],
        ['dns', 'name-server'],
        ['udpProxy', 'udp-proxy'],
        ['nameRecords', 'name-records'],
      ] as const) {
        const container = byRole.get(role);
        if (container === undefined || !isSound(container) || !isJoined(container, sandbox))
          continue;
        const [hash = '', startedAt] = (await content.hashOf(container, role, signal)).split(' ');
        // After a restart of the sandbox its addresses are gone.
        if (startedAt === sandbox.State.StartedAt) state[key] = hash;
      }
      return state;
    },
    retryPorts() {
      for (const lacks of withheld.values()) lacks.retryAt = 0;
      return withheld.size > 0;
    },
    async servedPods(found, signal) {
      const running = found.filter(({ State }) => State.Status === 'running');
      const all = await Promise.all(
        (['proxy', 'edge'] as const).flatMap((role) =>
          running
            .filter((container) => labelsOf(container)[LABEL.role] === role)
            .map((container) => content.textOf(container, role, signal)),
        ),
      );
      const names = running.find((container) => labelsOf(container)[LABEL.role] === 'name-server');
      const hosts =
        names === undefined ? '' : await files.read(names.Id, 'name-server', 'hosts', signal);
      const addresses = (hosts ?? '').split('\n').map((line) => line.split(' ')[0] ?? '');
      return new Set([...all.flatMap((text) => serversIn(text ?? '')), ...addresses]);
    },
    async configureProxy(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const spec = haproxyIn(context, 'proxy', `container:${sandbox.Id}`);
      const container = await ensure(spec, signal);
      await setAddresses(sandbox, config.addresses, signal);
      const hash = `${config.hash} ${sandbox.State.StartedAt}`;
      await content.load(
        { role: 'proxy', container, sandbox },
        { text: config.haproxy, hash },
        signal,
      );
    },
    async configureDns(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const spec = nameServerIn(context, network, sandbox.Id);
      const server = await ensure(spec, signal);
      const target = { role: 'name-server' as const, container: server, sandbox };
      const hosts = Object.entries(config.hosts).flatMap(([name, addresses]) =>
        addresses.map((address) => `${address} ${name}\n`),
      );
      await content.writeHash(target, '', signal);
      const written = { hosts: hosts.join(''), servers: serversFile(config) };
      await files.write(sandbox.Id, 'name-server', written, signal);
      if (server.State.Status !== 'running') await startContainer(context, server.Id, signal);
      else if (isJoined(server, sandbox))
        await signalContainer(context, server.Id, 'SIGHUP', signal);
      else await restartContainer(context, server.Id, 0, signal);
      await shell.run(sandbox.Id, dnsWaitScript(network.systemIp), signal);
      await content.writeHash(target, `${config.hash} ${sandbox.State.StartedAt}`, signal);
    },
    async configureEdge(network, config, signal) {
      withheld.delete('edge');
      if (config.ports.length === 0)
        return removeSystemContainers(context, ['edge-front', 'edge'], signal);
      const ports = await loadEdge(network, config, signal);
      withhold(
        'edge',
        config,
        [...ports].map((port) => ({ port, protocol: 'TCP' })),
      );
    },
    async configureRecords(network, config, signal) {
      await serveRecords(await ensureSandbox(network, signal), config, signal);
    },
    async configureUdp(network, role, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const ports = await carryUdp({ network, sandbox }, role, config, signal);
      if (role === 'udp-edge') withhold(role, config, ports);
    },
    async removeAll(signal) {
      await removeSystemContainers(context, SYSTEM_ROLES.toReversed(), signal);
      await removeSystemVolumes(context, signal);
    },
  };
}
