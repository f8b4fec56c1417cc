import { readFile } from '#adapters/docker/archive.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { DnsConfig, EdgeConfig, ProxyConfig } from '#core/docker/world.ts';
import { labelsOf, restartContainer, signalContainer, startContainer } from './containers.ts';
import type { DockerContext } from './context.ts';
import {
  loadHaproxy,
  PortTaken,
  portsIn,
  readHaproxy,
  serversIn,
  withoutPorts,
  writeFiles,
} from './haproxy.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { LABEL } from './marks.ts';
import type { ClusterNetwork } from './network.ts';
import {
  ensureSystemContainer,
  haproxyIn,
  isJoined,
  isSound,
  nameServerIn,
  proxySandbox,
  removeSystemContainers,
  SYSTEM_FOLDER,
  SYSTEM_ROLES,
} from './system-containers.ts';

/** A port that somebody else has is not tried again at once: each try may make the other NodePorts wait. */
const PORT_RETRY_MS = 30_000;

/** Adds the addresses given to the interface, and takes those of before away. */
const ADDRESS_SCRIPT = `
want=" $* "
for have in $(ip -4 -o addr show dev eth0 | awk '{print $4}'); do
  case "$have" in */32) ;; *) continue ;; esac
  case "$want" in *" \${have%/*} "*) ;; *) ip addr del "$have" dev eth0 ;; esac
done
for address; do
  ip -4 -o addr show dev eth0 | grep -q " $address/32 " || ip addr add "$address/32" dev eth0
done
`;

const DNS_WAIT_SCRIPT =
  'for i in $(seq 100); do nc -w 1 "$1" 53 < /dev/null > /dev/null 2>&1 && exit 0; usleep 50000; done; exit 1';

/** What the cluster's own containers run with. */
export interface SystemState {
  proxy?: string;
  dns?: string;
  edge?: string;
  /** The running sandbox of the proxy, from where pods are probed. */
  sandboxId?: string;
  /** NodePorts that are not served, since another program of the host has them; tried again at `retryAt` (ms). */
  taken?: { ports: ReadonlySet<number>; retryAt: number };
}

/** Answers whether something accepts connections there; absent where that cannot be found out. */
type CanConnect = (address: string, port: number) => Promise<boolean | undefined>;

/** The cluster's proxy, name server and edge. What they run with is read back from them, so a new worker knows it. */
export interface SystemPod {
  observe(found: readonly InspectedContainer[], signal: AbortSignal): Promise<SystemState>;
  /** Names of the pods that get traffic by the configuration that is there. */
  servedPods(found: readonly InspectedContainer[], signal: AbortSignal): Promise<Set<string>>;
  configureProxy(network: ClusterNetwork, config: ProxyConfig, signal: AbortSignal): Promise<void>;
  configureDns(network: ClusterNetwork, config: DnsConfig, signal: AbortSignal): Promise<void>;
  /** A port that somebody else has is left out, so that the others are served. */
  configureEdge(network: ClusterNetwork, config: EdgeConfig, signal: AbortSignal): Promise<void>;
  removeAll(signal: AbortSignal): Promise<void>;
}

export function createSystemPod(context: DockerContext, canConnect: CanConnect): SystemPod {
  /** Content of a container's hash file and of its configuration, by container: only we write them. */
  const hashes = new Map<string, string>();
  const texts = new Map<string, string>();
  let withheld: { hash: string; ports: ReadonlySet<number>; retryAt: number } | undefined;

  /** What is on the interface of the sandbox as it runs now; asked for only when it is to change. */
  let onInterface = '';

  async function setAddresses(
    sandbox: InspectedContainer,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = [sandbox.Id, sandbox.State.StartedAt, ...addresses].join(' ');
    if (onInterface === wanted) return;
    await inSandbox(context, sandbox.Id, ADDRESS_SCRIPT, addresses, signal);
    onInterface = wanted;
  }

  async function hashIn(container: InspectedContainer, signal: AbortSignal): Promise<string> {
    const known = hashes.get(container.Id);
    if (known !== undefined) return known;
    const path = `${SYSTEM_FOLDER}/hash`;
    const read = (await readFile(context.docker, container.Id, path, signal)) ?? '';
    hashes.set(container.Id, read);
    return read;
  }

  async function textIn(id: string, signal: AbortSignal): Promise<string | undefined> {
    const text = texts.get(id) ?? (await readHaproxy(context, id, signal));
    if (text !== undefined) texts.set(id, text);
    return text;
  }

  async function load(
    container: InspectedContainer,
    sandbox: InspectedContainer | undefined,
    text: string,
    signal: AbortSignal,
  ): Promise<void> {
    const before = await textIn(container.Id, signal);
    hashes.set(container.Id, '');
    texts.delete(container.Id);
    await loadHaproxy(context, container, sandbox, { text, before }, signal);
    texts.set(container.Id, text);
  }

  /** Until its hash is written, a container counts as running with nothing. */
  async function loaded(id: string, hash: string, signal: AbortSignal): Promise<void> {
    await writeFiles(context, id, { hash }, signal);
    hashes.set(id, hash);
  }

  async function ensureSandbox(
    network: ClusterNetwork,
    signal: AbortSignal,
  ): Promise<InspectedContainer> {
    const found = await ensureSystemContainer(context, proxySandbox(context, network), signal);
    if (found.State.Status === 'running') return found;
    await startContainer(context, found.Id, signal);
    const started = await inspectContainer(context, found.Id, signal);
    if (started === undefined) throw new Error("the proxy's sandbox went away while it was made");
    return started;
  }

  /** Those of the ports that something else answers on; ours that are open already answer too. */
  async function findTaken(
    network: ClusterNetwork,
    ports: readonly number[],
    running: string | undefined,
  ): Promise<Set<number>> {
    const open = new Set(portsIn(running ?? ''));
    const taken = await Promise.all(
      ports
        .filter((port) => !open.has(port))
        .map(async (port) => ((await canConnect(network.gateway, port)) === true ? [port] : [])),
    );
    return new Set(taken.flat());
  }

  /** Answers the ports it had to leave out. */
  async function loadEdge(
    network: ClusterNetwork,
    config: EdgeConfig,
    signal: AbortSignal,
  ): Promise<Set<number>> {
    const spec = haproxyIn(context, 'edge', 'host');
    let taken: Set<number> | undefined;
    for (;;) {
      const edge = await ensureSystemContainer(context, spec, signal);
      const isRunning = edge.State.Status === 'running';
      const running = isRunning ? await textIn(edge.Id, signal) : undefined;
      taken ??= await findTaken(network, config.ports, running);
      const text = withoutPorts(config.haproxy, taken);
      try {
        if (text !== running) await load(edge, undefined, text, signal);
        const left = taken.size === 0 ? '' : ` without ${[...taken].join(',')}`;
        await loaded(edge.Id, `${config.hash}${left}`, signal);
        return taken;
      } catch (error) {
        if (!(error instanceof PortTaken) || taken.has(error.port)) throw error;
        taken.add(error.port);
      }
    }
  }

  return {
    async observe(found, signal) {
      const byRole = new Map(
        found.map((container) => [labelsOf(container)[LABEL.role], container]),
      );
      const ids = new Set(found.map(({ Id }) => Id));
      for (const known of [hashes, texts]) {
        for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      }
      const state: SystemState = {};
      const edge = byRole.get('edge');
      if (edge !== undefined) state.edge = isSound(edge) ? await hashIn(edge, signal) : '';
      if (withheld !== undefined) {
        state.taken = withheld;
        if (state.edge?.startsWith(`${withheld.hash} `) === true && withheld.retryAt > Date.now())
          state.edge = withheld.hash;
      }
      const sandbox = byRole.get('proxy-sandbox');
      if (sandbox?.State.Status !== 'running') return state;
      state.sandboxId = sandbox.Id;
      if (!isSound(sandbox)) return state;
      for (const [key, role] of [
        ['proxy', 'proxy'],
        ['dns', 'name-server'],
      ] as const) {
        const container = byRole.get(role);
        if (container === undefined || !isSound(container) || !isJoined(container, sandbox))
          continue;
        const [hash = '', startedAt] = (await hashIn(container, signal)).split(' ');
        // After a restart of the sandbox its addresses are gone.
        if (startedAt === sandbox.State.StartedAt) state[key] = hash;
      }
      return state;
    },
    async servedPods(found, signal) {
      const proxies = found.filter(
        (container) =>
          ['proxy', 'edge'].includes(labelsOf(container)[LABEL.role] ?? '') &&
          container.State.Status === 'running',
      );
      const all = await Promise.all(proxies.map(({ Id }) => textIn(Id, signal)));
      return new Set(all.flatMap((text) => serversIn(text ?? '')));
    },
    async configureProxy(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const spec = haproxyIn(context, 'proxy', `container:${sandbox.Id}`);
      const proxy = await ensureSystemContainer(context, spec, signal);
      await setAddresses(sandbox, config.addresses, signal);
      await load(proxy, sandbox, config.haproxy, signal);
      await loaded(proxy.Id, `${config.hash} ${sandbox.State.StartedAt}`, signal);
    },
    async configureDns(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const spec = nameServerIn(context, network, sandbox.Id);
      const server = await ensureSystemContainer(context, spec, signal);
      const hosts = Object.entries(config.hosts).map(([name, address]) => `${address} ${name}\n`);
      hashes.set(server.Id, '');
      await writeFiles(context, server.Id, { hosts: hosts.join(''), hash: '' }, signal);
      if (server.State.Status !== 'running') await startContainer(context, server.Id, signal);
      else if (isJoined(server, sandbox))
        await signalContainer(context, server.Id, 'SIGHUP', signal);
      else await restartContainer(context, server.Id, 0, signal);
      await inSandbox(context, sandbox.Id, DNS_WAIT_SCRIPT, [network.systemIp], signal);
      await loaded(server.Id, `${config.hash} ${sandbox.State.StartedAt}`, signal);
    },
    async configureEdge(network, config, signal) {
      withheld = undefined;
      if (config.ports.length === 0) return removeSystemContainers(context, ['edge'], signal);
      const ports = await loadEdge(network, config, signal);
      const retryAt = Date.now() + PORT_RETRY_MS;
      withheld = ports.size === 0 ? undefined : { hash: config.hash, ports, retryAt };
    },
    removeAll: (signal) => removeSystemContainers(context, SYSTEM_ROLES.toReversed(), signal),
  };
}

async function inSandbox(
  context: DockerContext,
  sandboxId: string,
  script: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const result = await runInContainer(
    context.docker,
    { container: sandboxId, command: ['sh', '-c', script, 'sh', ...args] },
    signal,
  );
  if (result.exitCode !== 0)
    throw new Error(`the proxy's sandbox could not be set up: ${result.stderr.trim()}`);
}
