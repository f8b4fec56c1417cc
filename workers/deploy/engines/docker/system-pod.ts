import { putFiles, readFile } from '#adapters/docker/archive.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import { followLogs } from '#adapters/docker/logs.ts';
import type { DnsConfig, EdgeConfig, ProxyConfig } from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import {
  createContainer,
  labelsOf,
  removeContainer,
  restartContainer,
  signalContainer,
  startContainer,
} from './containers.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { inspectContainer } from './inspections.ts';
import { LABEL, marks } from './marks.ts';
import type { Role } from './marks.ts';
import { systemName } from './names.ts';
import type { ClusterNetwork } from './network.ts';
import { LOG_CONFIG, RESTART_POLICY, SLEEP } from './pod-config.ts';

const FOLDER = '/windlass';
const LOAD_TIMEOUT_MS = 15_000;
const SERVER_LINE = /^ {2}server (\S+) /gm;

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
}

/** The cluster's proxy, name server and edge. What they run with is read back from them, so a new worker knows it. */
export interface SystemPod {
  observe(found: readonly InspectedContainer[], signal: AbortSignal): Promise<SystemState>;
  /** Names of the pods that get traffic by the configuration that is there. */
  servedPods(found: readonly InspectedContainer[], signal: AbortSignal): Promise<Set<string>>;
  configureProxy(network: ClusterNetwork, config: ProxyConfig, signal: AbortSignal): Promise<void>;
  configureDns(network: ClusterNetwork, config: DnsConfig, signal: AbortSignal): Promise<void>;
  configureEdge(config: EdgeConfig, signal: AbortSignal): Promise<void>;
}

export function createSystemPod(context: DockerContext): SystemPod {
  /** Content of a container's hash file, by container and start: only we write it. */
  const hashes = new Map<string, string>();

  async function hashIn(container: InspectedContainer, signal: AbortSignal): Promise<string> {
    const known = hashes.get(container.Id);
    if (known !== undefined) return known;
    const read = (await readFile(context.docker, container.Id, `${FOLDER}/hash`, signal)) ?? '';
    hashes.set(container.Id, read);
    return read;
  }

  async function writeConfig(
    id: string,
    files: Record<string, string>,
    hash: string,
    signal: AbortSignal,
  ): Promise<void> {
    hashes.delete(id);
    const entries = Object.entries({ ...files, hash }).map(([name, content]) => ({
      kind: 'file' as const,
      path: `${FOLDER}/${name}`.slice(1),
      content,
      mode: 0o644,
    }));
    await putFiles(
      context.docker,
      id,
      [{ kind: 'directory', path: FOLDER.slice(1), mode: 0o755 }, ...entries],
      signal,
    );
  }

  /** Until it is known to have loaded what was written, the container counts as running with nothing. */
  function loaded(id: string, hash: string): void {
    hashes.set(id, hash);
  }

  async function ensureSandbox(
    network: ClusterNetwork,
    signal: AbortSignal,
  ): Promise<InspectedContainer> {
    const name = systemName(context, 'proxy-sandbox');
    const found = await inspectContainer(context, name, signal);
    if (found?.State.Status === 'running') return found;
    const id =
      found?.Id ??
      (await createContainer(
        context,
        name,
        sandboxBody(context, network),
        marks(context, 'proxy-sandbox'),
        signal,
      ));
    await startContainer(context, id, signal);
    return present(await inspectContainer(context, name, signal), name);
  }

  async function ensureJoined(
    role: 'proxy' | 'name-server',
    sandbox: InspectedContainer,
    command: readonly string[],
    image: string,
    signal: AbortSignal,
  ): Promise<InspectedContainer> {
    const name = systemName(context, role);
    const found = await inspectContainer(context, name, signal);
    if (found !== undefined && found.HostConfig.NetworkMode === `container:${sandbox.Id}`)
      return found;
    if (found !== undefined) await removeContainer(context, found.Id, signal);
    const body = systemBody(context, role, image, command, `container:${sandbox.Id}`);
    await createContainer(context, name, body, marks(context, role), signal);
    return present(await inspectContainer(context, name, signal), name);
  }

  async function load(
    container: InspectedContainer,
    sandbox: InspectedContainer | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const since = Date.now();
    if (container.State.Status !== 'running') await startContainer(context, container.Id, signal);
    else if (sandbox !== undefined && !isJoined(container, sandbox))
      await restartContainer(context, container.Id, 0, signal);
    else await signalContainer(context, container.Id, 'SIGUSR2', signal);
    await waitUntilLoaded(context, container.Id, since, signal);
  }

  return {
    async observe(found, signal) {
      const byRole = new Map(
        found.map((container) => [labelsOf(container)[LABEL.role], container]),
      );
      const sandbox = byRole.get('proxy-sandbox');
      const state: SystemState = {};
      const ids = new Set(found.map(({ Id }) => Id));
      for (const id of hashes.keys()) if (!ids.has(id)) hashes.delete(id);
      const edge = byRole.get('edge');
      if (edge?.State.Status === 'running') state.edge = await hashIn(edge, signal);
      if (sandbox?.State.Status !== 'running') return state;
      state.sandboxId = sandbox.Id;
      for (const [key, role] of [
        ['proxy', 'proxy'],
        ['dns', 'name-server'],
      ] as const) {
        const container = byRole.get(role);
        if (container?.State.Status !== 'running' || !isJoined(container, sandbox)) continue;
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
      const texts = await Promise.all(
        proxies.map(({ Id }) => readFile(context.docker, Id, `${FOLDER}/haproxy.cfg`, signal)),
      );
      return new Set(
        texts.flatMap((text) =>
          [...(text ?? '').matchAll(SERVER_LINE)].map(([, name = '']) => name),
        ),
      );
    },
    async configureProxy(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const proxy = await ensureJoined('proxy', sandbox, HAPROXY, context.images.proxy, signal);
      const hash = `${config.hash} ${sandbox.State.StartedAt}`;
      await writeConfig(proxy.Id, { 'haproxy.cfg': config.haproxy }, hash, signal);
      await inSandbox(context, sandbox.Id, ADDRESS_SCRIPT, config.addresses, signal);
      await load(proxy, sandbox, signal);
      loaded(proxy.Id, hash);
    },
    async configureDns(network, config, signal) {
      const sandbox = await ensureSandbox(network, signal);
      const server = await ensureJoined(
        'name-server',
        sandbox,
        dnsmasq(network),
        context.images.nameServer,
        signal,
      );
      const hosts = Object.entries(config.hosts).map(([name, address]) => `${address} ${name}\n`);
      const hash = `${config.hash} ${sandbox.State.StartedAt}`;
      await writeConfig(server.Id, { hosts: hosts.join('') }, hash, signal);
      const isRunning = server.State.Status === 'running';
      if (!isRunning) await startContainer(context, server.Id, signal);
      else if (isJoined(server, sandbox))
        await signalContainer(context, server.Id, 'SIGHUP', signal);
      else await restartContainer(context, server.Id, 0, signal);
      await inSandbox(context, sandbox.Id, DNS_WAIT_SCRIPT, [network.systemIp], signal);
      loaded(server.Id, hash);
    },
    async configureEdge(config, signal) {
      const name = systemName(context, 'edge');
      const found = await inspectContainer(context, name, signal);
      if (config.ports.length === 0) {
        if (found !== undefined) await removeContainer(context, found.Id, signal);
        return;
      }
      if (found === undefined)
        await createContainer(
          context,
          name,
          systemBody(context, 'edge', context.images.proxy, HAPROXY, 'host'),
          marks(context, 'edge'),
          signal,
        );
      const edge = present(found ?? (await inspectContainer(context, name, signal)), name);
      await writeConfig(edge.Id, { 'haproxy.cfg': config.haproxy }, config.hash, signal);
      hashes.set(edge.Id, '');
      await load(edge, undefined, signal);
      loaded(edge.Id, config.hash);
    },
  };
}

const HAPROXY = ['haproxy', '-W', '-db', '-f', `${FOLDER}/haproxy.cfg`];

function dnsmasq(network: ClusterNetwork): string[] {
  return [
    'dnsmasq',
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--server=127.0.0.11',
    '--local=/cluster.local/',
    `--addn-hosts=${FOLDER}/hosts`,
    `--listen-address=${network.systemIp}`,
    '--bind-interfaces',
    '--user=root',
    '--pid-file=',
    '--cache-size=1000',
    '--log-facility=-',
  ];
}

function sandboxBody(context: DockerContext, network: ClusterNetwork): object {
  return {
    Image: context.images.sandbox,
    Entrypoint: ['sh', '-c', SLEEP],
    Cmd: [],
    User: '0',
    Labels: marks(context, 'proxy-sandbox'),
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: network.name,
      CapAdd: ['NET_ADMIN'],
      RestartPolicy: { Name: RESTART_POLICY },
      LogConfig: LOG_CONFIG,
    },
    NetworkingConfig: {
      EndpointsConfig: { [network.name]: { IPAMConfig: { IPv4Address: network.systemIp } } },
    },
  };
}

function systemBody(
  context: DockerContext,
  role: Role,
  image: string,
  command: readonly string[],
  networkMode: string,
): object {
  return {
    Image: image,
    Entrypoint: command,
    Cmd: [],
    User: '0',
    Labels: marks(context, role),
    Healthcheck: { Test: ['NONE'] },
    // HAProxy's own way to end when asked by Docker: at once, its connections move to a new one.
    StopSignal: 'SIGTERM',
    HostConfig: {
      NetworkMode: networkMode,
      RestartPolicy: { Name: RESTART_POLICY },
      LogConfig: LOG_CONFIG,
    },
  };
}

/** Whether it lives in the network namespace that the sandbox has now. */
function isJoined(container: InspectedContainer, sandbox: InspectedContainer): boolean {
  return (
    container.HostConfig.NetworkMode === `container:${sandbox.Id}` &&
    Date.parse(container.State.StartedAt) >= Date.parse(sandbox.State.StartedAt)
  );
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

/** Waits until HAProxy's master says that a new worker took over, or why not. */
async function waitUntilLoaded(
  context: DockerContext,
  id: string,
  since: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.timeout(LOAD_TIMEOUT_MS);
  const alerts: string[] = [];
  for await (const { line } of followLogs(
    context.docker,
    id,
    { follow: true, since },
    AbortSignal.any([signal, deadline]),
  )) {
    if (line.includes('Loading success')) return;
    if (line.startsWith('[ALERT]')) alerts.push(line);
    if (line.includes('cannot bind')) throw portTaken(line);
    if (line.includes('Loading failure') || line.includes('Fatal errors found')) break;
  }
  signal.throwIfAborted();
  throw new Error(`HAProxy did not load its configuration: ${alerts.join(' ')}`);
}

function portTaken(line: string): UserError {
  const place = /\[([^\]]*:\d+)\]\s*$/.exec(line)?.[1] ?? line;
  return new UserError('conflict', `the port ${place} of the host is in use by another program`, {
    hint: 'give the Service another nodePort, or stop what listens there (ss -ltnp tells)',
  });
}

function present(container: InspectedContainer | undefined, name: string): InspectedContainer {
  if (container === undefined) throw new Error(`${name} went away while it was made`);
  return container;
}
