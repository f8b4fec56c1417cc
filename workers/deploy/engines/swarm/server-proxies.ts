import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import type { Probe } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { EndpointMode } from '#core/swarm/service.ts';
import type { LiveTask, ServerProxies as Running, ServerStep } from '#core/swarm/world.ts';
import type { CertificateFacts } from '#core/docker/world.ts';
import type { DockerContext } from '../docker/context.ts';
import { createImages } from '../docker/images.ts';
import type { Images } from '../docker/images.ts';
import { inspectContainer } from '../docker/inspections.ts';
import type { InternalCa } from '../docker/internal-ca.ts';
import { filterOurs, LABEL } from '../docker/marks.ts';
import { createProber } from '../docker/prober.ts';
import type { Probed } from '../docker/prober.ts';
import { createSandboxShell } from '../docker/sandbox-shell.ts';
import type { SandboxShell } from '../docker/sandbox-shell.ts';
import { createSystemPod } from '../docker/system-pod.ts';
import type { SystemPod, SystemState } from '../docker/system-pod.ts';
import { edgesOf } from '#core/swarm/edges.ts';
import { stepName } from '#core/swarm/traffic.ts';
import { SYSTEM_ROLES } from '../docker/system-containers.ts';
import { createAnnouncer } from './announce.ts';
import type { Placed } from './announce.ts';
import { createAside } from './aside.ts';
import { balancerAddress, clashing, removeBalancer } from './balancer.ts';
import { clearServer } from './clear-server.ts';
import type { SwarmContext } from './context.ts';
import { serverName } from './listed.ts';
import type { ListedNode, ListedTask } from './listed.ts';
import { createLostContainers, removeTaskContainer } from './lost-containers.ts';
import type { SwarmNetwork } from './network.ts';
import { placeProbes, saysFilled } from './probes.ts';
import type { ListedContainer } from './probes.ts';
import { addressOf } from './observe.ts';
import { whileAnswering } from './while-answering.ts';

/** The Docker of a server by its name; absent where it is not reached. */
export type Connect = (server: string) => Docker | undefined;

/** The proxy and the name server that every server of the swarm has for itself, and who asks tasks from beside them. */
export interface ServerProxies {
  observe(signal: AbortSignal): Promise<SeenProxies>;
  configure(step: ServerStep, network: SwarmNetwork, signal: AbortSignal): Promise<void>;
  /** Announces those tasks, and asks them from now on; answers what is known of each that has a readiness probe. */
  readinessOf(
    tasks: readonly ListedTask[],
    networkId: string | undefined,
  ): Map<string, LiveTask['readiness']>;
  /**
   * What cannot be configured on one server is told of and left aside for a while, so that it keeps nothing from the
   * others: that step alone where it is of some owners, else all of the server. False where no other server is left.
   */
  setAside(step: ServerStep, message: string): boolean;
  /** Of those left aside, by server. */
  problems(): ReadonlyMap<string, string>;
  /** Whether Docker on the server answers at all. */
  answers(node: string, signal: AbortSignal): Promise<boolean>;
  /** The sandbox on the manager's own server, in which connections begin; absent before there is one. */
  sandboxId(): string | undefined;
  /** Containers that do not run, of tasks that are not `known`: those that there are. `now`: ms since the epoch. */
  removeLost(known: ReadonlySet<string>, now: number, signal: AbortSignal): Promise<void>;
  /**
   * Takes Swarm's own load balancer off the cluster's network on servers where it has the address of a task: whoever asks
   * the task from there asks the balancer. Docker (seen in 20.10) keeps it with the address it had when Swarm gave that
   * away after a new swarm was forced. Not where endpoints are `vip`, which need it.
   */
  freeAddresses(
    tasks: readonly ListedTask[],
    networkId: string | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** From every server, of a cluster without services. Answers what stays and why; a later call tries again. */
  removeAll(signal: AbortSignal): Promise<string[]>;
  close(): void;
}

export interface SeenProxies {
  proxies: Running[];
  /** What is known of certificates' files that edges were to have. */
  certificates: Readonly<Record<string, CertificateFacts>>;
  /** When ports that another program has, and servers left aside, are tried again (ms since the epoch). */
  retryAt?: number;
}

interface Server {
  context: DockerContext;
  shell: SandboxShell;
  system: SystemPod;
  images: Images;
}

/** A server, and whether it is an edge. */
type ToLookAt = Pick<Running, 'node' | 'isEdge'>;

interface Looked {
  running: Running;
  state: SystemState;
}

const LOCAL = 'local';
/**
 * Of containers that cannot be put on the cluster's network as they are. They are older than the server's place in the
 * swarm; or Swarm gave them an address that something else has on the server, as after its managers lost count, and keeps
 * it for them.
 */
const OFF_NETWORK = /can't find device|Address already in use/;
/** So soon after they were made anew it helps no more. */
const MADE_ANEW_MS = 30_000;
const PING_MS = 5_000;
const LOOK = 'look';
const UDP_EDGE = 'configureUdp udp-edge';

export function createServerProxies(
  context: SwarmContext,
  options: {
    connect: Connect | undefined;
    readCredentials: ReadCredentials;
    ca: InternalCa;
    /** Labels of the servers that have edges; absent: no labels are asked for. */
    edges: Readonly<Record<string, string>> | undefined;
    endpointMode: EndpointMode;
  },
  onChange: (what: string) => void,
): ServerProxies {
  const servers = new Map<string, Server>();
  /** Of the server that `own` is. */
  let ownName = LOCAL;
  const own = serverOf(LOCAL, context.docker);
  const prober = createProber(own.context, own.shell, onChange);
  /** Of the nodes that are listed, by their ids. */
  let nodeNames: ReadonlyMap<string, string> = new Map();
  const announcer = createAnnouncer(context, (node) => servers.get(node)?.shell);
  let isFirstLook = true;
  /** What proxies led to when this worker first looked: names of pods, and ids of tasks. */
  const served = new Set<string>();
  const aside = createAside();
  /** When the containers of a server were last removed, so that the next round makes them anew (ms since the epoch). */
  const madeAnew = new Map<string, number>();
  /** Since the last look: what was to come next there builds on what is gone. */
  const cleared = new Set<string>();
  let looked: readonly ToLookAt[] = [];
  /** Addresses of Swarm's own load balancers, by server, at the last look. */
  const balancers = new Map<string, string>();
  const lost = createLostContainers();

  function serverOf(node: string, docker: Docker): Server {
    const known = servers.get(node);
    if (known !== undefined) return known;
    const there = { ...context, docker, isRemote: node !== LOCAL };
    const shell = createSandboxShell(there);
    const images = createImages(there, options.readCredentials, (what) => {
      aside.again(node === LOCAL ? ownName : node);
      onChange(what);
    });
    const system = createSystemPod(there, shell, options.ca, {
      canConnect: () => Promise.resolve(undefined),
      bring: images.bringOwn,
    });
    const server = { context: there, shell, system, images };
    servers.set(node, server);
    return server;
  }

  /** Those that can be asked, and the names of the others. */
  async function nodes(signal: AbortSignal): Promise<{ there: ToLookAt[]; away: string[] }> {
    const { connect, edges } = options;
    if (connect === undefined) return { there: [{ node: LOCAL, isEdge: true }], away: [] };
    const get = { method: 'GET', signal } as const;
    const [listed, info] = await Promise.all([
      callDocker<ListedNode[]>(context.docker, { path: '/nodes', ...get }),
      callDocker<{ Swarm: { NodeID: string } }>(context.docker, { path: '/info', ...get }),
    ]);
    nodeNames = new Map(listed.map((node) => [node.ID, serverName(node)]));
    const isEdge = edgesOf(listed, edges);
    const away: string[] = [];
    const there: ToLookAt[] = [];
    for (const node of listed) {
      const name = serverName(node);
      const isOwn = node.ID === info.Swarm.NodeID;
      const docker = isOwn ? context.docker : connect(name);
      if (docker === undefined || node.Status.State !== 'ready') {
        away.push(name);
        continue;
      }
      if (isOwn) {
        ownName = name;
        servers.set(name, own);
      } else serverOf(name, docker);
      there.push({ node: name, isEdge: isEdge(node) });
    }
    return { there, away };
  }

  /**
   * Nothing of a server that went away since it was asked last, nor of one that answers and cannot do it: it is left aside,
   * as long as there are others.
   */
  async function ifThere<T>(
    node: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T[]> {
    try {
      return [await asLongAsThere(node, signal, work)];
    } catch (error) {
      signal.throwIfAborted();
      if (await answers(node, signal)) {
        if (leave({ node, tried: LOOK, message: messageOf(error) })) return [];
        throw error;
      }
      context.log.warn({ cluster: context.cluster, server: node, err: error }, 'server went away');
      return [];
    }
  }

  function leave(trouble: Parameters<typeof aside.leave>[0], isEdges = false): boolean {
    const others = looked.filter(({ isEdge }) => isEdge || !isEdges).map(({ node }) => node);
    if (!aside.leave(trouble, others, Date.now())) return false;
    const { node: server, message } = trouble;
    context.log.warn({ cluster: context.cluster, server, message }, 'server left aside');
    return true;
  }

  function setAside(step: ServerStep, message: string): boolean {
    const { node } = step;
    const tried = stepName(step);
    if (!('owners' in step)) return leave({ node, tried, message });
    return leave({ node, step: tried, tried, message }, tried === UDP_EDGE);
  }

  function asLongAsThere<T>(
    node: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const asked = { answers: () => answers(node, signal), everyMs: PING_MS };
    return whileAnswering(asked, signal, work);
  }

  async function answers(node: string, signal: AbortSignal): Promise<boolean> {
    const { docker } = (servers.get(node) ?? own).context;
    try {
      await callDocker(docker, { method: 'GET', path: '/_ping', signal, timeoutMs: PING_MS });
      return true;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }

  async function look({ node, isEdge }: ToLookAt, signal: AbortSignal): Promise<Looked> {
    const server = servers.get(node) ?? own;
    const [listed, balancer] = await Promise.all([
      callDocker<(ListedContainer & { Id: string })[]>(server.context.docker, {
        method: 'GET',
        path: '/containers/json',
        query: { all: true, filters: filterOurs(server.context) },
        signal,
      }),
      balancerAddress(server.context, signal),
    ]);
    lost.found(node, listed);
    if (balancer !== undefined) balancers.set(node, balancer);
    const roles: readonly string[] = SYSTEM_ROLES;
    const found = await Promise.all(
      listed
        .filter(({ Labels }) => roles.includes(Labels[LABEL.role] ?? ''))
        .map(({ Id }) => inspectContainer(server.context, Id, signal)),
    );
    const inspected = found.flatMap((each) => (each === undefined ? [] : [each]));
    const state = await server.system.observe(inspected, signal);
    if (isFirstLook)
      for (const name of await server.system.servedPods(inspected, signal))
        served.add(name).add(name.split('.').at(-1) ?? '');
    const { certificates: _facts, sandboxId, taken, ...hashes } = state;
    server.shell.use(sandboxId);
    const lacking = taken === undefined ? {} : { taken: taken.ports };
    aside.done(node, LOOK);
    const running: Running = {
      node,
      isEdge,
      ...hashes,
      ...lacking,
      leftAside: aside.stepsLeft(node),
      ...(listed.some((each) => saysFilled(context, each)) ? { probes: true } : {}),
    };
    return { running, state };
  }

  /** What fails is tried again at the next look. */
  async function removeTasks(
    node: string,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { context: its } = servers.get(node) ?? own;
    try {
      await asLongAsThere(node, signal, async (until) => {
        for (const id of ids) await removeTaskContainer(its, id, until);
      });
    } catch (error) {
      signal.throwIfAborted();
      const reason = messageOf(error);
      context.log.warn({ cluster: context.cluster, server: node, reason }, 'a task stays');
    }
  }

  function placeOf(task: ListedTask, networkId: string | undefined): Placed[] {
    const address = addressOf(task, networkId);
    const node = nodeNames.get(task.NodeID ?? '');
    if (address === undefined || node === undefined || task.Status.State !== 'running') return [];
    return [{ id: task.ID, node, address }];
  }

  function targetOf(task: ListedTask, networkId: string | undefined): Probed[] {
    const readiness = readinessIn(task);
    const address = addressOf(task, networkId);
    const { State, Timestamp, ContainerStatus } = task.Status;
    if (readiness === undefined || address === undefined || State !== 'running') return [];
    return [
      {
        key: task.ID,
        id: ContainerStatus?.ContainerID ?? '',
        address,
        startedAt: Date.parse(Timestamp),
        probes: { readiness },
        // Until this worker has asked it, it gets what it got before.
        served: isFirstLook && isServed(task),
      },
    ];
  }

  /** A pod of a StatefulSet by its own name, which says nothing of the task. */
  function isServed({ ID, Spec }: ListedTask): boolean {
    return served.has(Spec.ContainerSpec?.Labels?.[MARK.pod] ?? ID);
  }

  return {
    async observe(signal) {
      const now = Date.now();
      aside.expire(now);
      cleared.clear();
      balancers.clear();
      const { there: all } = await nodes(signal);
      const there = all.filter(({ node }) => !aside.isLeft(node));
      looked = there;
      const looks = (
        await Promise.all(
          there.map((each) => ifThere(each.node, signal, (until) => look(each, until))),
        )
      ).flat();
      const retries = [
        ...looks.flatMap(({ state }) => state.taken?.retryAt ?? []),
        ...aside.retries(),
      ];
      return {
        proxies: looks.map(({ running }) => running),
        certificates: Object.assign({}, ...looks.map(({ state }) => state.certificates)) as Record<
          string,
          CertificateFacts
        >,
        ...(retries.length === 0 ? {} : { retryAt: Math.min(...retries) }),
      };
    },
    async configure(step, network, signal) {
      const server = servers.get(step.node);
      if (server === undefined)
        throw new UserError('unavailable', `server ${step.node} is not in the swarm any more`);
      if (cleared.has(step.node)) return;
      try {
        await asLongAsThere(step.node, signal, (until) => configure(server, step, network, until));
        aside.done(step.node, stepName(step));
      } catch (error) {
        if (!OFF_NETWORK.test(messageOf(error))) throw error;
        await asLongAsThere(step.node, signal, (until) => server.system.removeAll(until));
        const now = performance.now();
        const isInVain = now - (madeAnew.get(step.node) ?? -Infinity) < MADE_ANEW_MS;
        madeAnew.set(step.node, now);
        cleared.add(step.node);
        context.log.warn(
          { cluster: context.cluster, server: step.node, err: error },
          'proxies made anew',
        );
        if (isInVain) throw error;
      }
    },
    readinessOf(tasks, networkId) {
      announcer.announce(tasks.flatMap((task) => placeOf(task, networkId)));
      const targets = tasks.flatMap((task) => targetOf(task, networkId));
      prober.setTargets(targets);
      isFirstLook = false;
      return new Map(
        targets.map(({ key, probes, startedAt }) => {
          const { readiness } = prober.stateOf(key, probes, startedAt);
          return [key, { ok: readiness?.ok === true, answer: readiness?.answer ?? '' }];
        }),
      );
    },
    answers,
    setAside,
    problems: () => aside.problems(),
    sandboxId: () => own.shell.sandboxId(),
    async removeLost(known, now, signal) {
      const due = [...lost.due(known, now)];
      await Promise.all(due.map(([node, ids]) => removeTasks(node, ids, signal)));
    },
    async freeAddresses(tasks, networkId, signal) {
      if (options.endpointMode === 'vip') return;
      for (const node of clashing(balancers, tasks, networkId)) {
        await ifThere(node, signal, (until) =>
          removeBalancer((servers.get(node) ?? own).context, until),
        );
        const { cluster, log } = context;
        log.warn({ cluster, server: node }, "Swarm's load balancer had the address of a task");
      }
    },
    async removeAll(signal) {
      const { there, away } = await nodes(signal);
      const stays = await Promise.all(
        there.map(async ({ node }) => {
          const server = servers.get(node) ?? own;
          server.shell.use(undefined);
          const [cleared] = await ifThere(node, signal, (until) => clearServer(server, until));
          if (cleared === undefined) away.push(node);
          return (cleared ?? []).map((each) => `${node}: ${each}`);
        }),
      );
      const unasked = away.length === 0 ? [] : [`it cannot be done on ${away.join(', ')}`];
      return [...unasked, ...stays.flat()];
    },
    close() {
      prober.close();
      announcer.close();
      for (const { shell, images } of servers.values()) {
        shell.close();
        images.close();
      }
    },
  };
}

function configure(
  { system, context, images }: Server,
  step: ServerStep,
  network: SwarmNetwork,
  signal: AbortSignal,
): Promise<void> {
  switch (step.kind) {
    case 'placeProbes':
      return placeProbes(context, images.bringOwn, signal);
    case 'configureProxy':
      return system.configureProxy(network, step.config, signal);
    case 'configureDns':
      return system.configureDns(network, step.config, signal);
    case 'configureEdge':
      return system.configureEdge(network, step.config, signal);
    case 'configureRecords':
      return system.configureRecords(network, step.config, signal);
    case 'configureUdp':
      return system.configureUdp(network, step.role, step.config, signal);
  }
}

function readinessIn(task: ListedTask): Probe | undefined {
  const said = task.Spec.ContainerSpec?.Labels?.[MARK.readiness] ?? 'null';
  return (JSON.parse(said) as Probe | null) ?? undefined;
}
