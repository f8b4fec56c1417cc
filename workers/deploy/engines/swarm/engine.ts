import { setTimeout as sleep } from 'node:timers/promises';
import { createHmac } from 'node:crypto';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import type {
  DesiredState,
  Engine,
  OwnerStatus,
  Place,
  Reconciliation,
  Session,
  SessionTarget,
} from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { SystemImages } from '#core/images.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import { decide } from '#core/swarm/decide.ts';
import { inLanes } from '#core/swarm/in-lanes.ts';
import { leftAlone } from '#core/swarm/leave-alone.ts';
import type { OnServers } from '#core/swarm/servers/seen.ts';
import type { ServerProxies, SwarmDecision, SwarmStep, SwarmWorld } from '#core/swarm/world.ts';
import { ordersOf } from '#core/docker/acme.ts';
import { ingressesIn } from '#core/docker/ingress-routes.ts';
import { waitsForPorts } from '#core/docker/kinds-service.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { carryOut } from './carry-out.ts';
import { createCertificateStore } from './certificate-store.ts';
import type { SwarmContext } from './context.ts';
import { followSwarm } from './follow-swarm.ts';
import { ensureNetwork, findNetwork, removeNetwork, userOf } from './network.ts';
import type { SwarmNetwork } from './network.ts';
import { addressOf, observe } from './observe.ts';
import { followTasks } from './task-logs.ts';
import { containerOf, findTask, locateTask } from './tasks.ts';
import { startInteractive } from '#adapters/docker/interactive.ts';
import { displayKey } from '#core/present/display.ts';
import type { Start } from '#core/tunnel/frame.ts';
import type { Observed } from './observe.ts';
import { dockerOf, findMovedClaims } from './moved-claims.ts';
import { createPace } from './pace.ts';
import { createProbeReasons } from './probe-reasons.ts';
import { createPullReasons } from './pull-reasons.ts';
import { readFleet } from './read-fleet.ts';
import { createServerProxies } from './server-proxies.ts';
import type { Connect, SeenProxies } from './server-proxies.ts';
import { usersOfPort, withFailures, withWaits } from '../docker/carry-out-all.ts';
import type { StepFailure as OwnedFailure } from '../docker/carry-out-all.ts';
import { createCertificateOrders } from '../docker/certificate-orders.ts';
import { derivePrivateKey } from '../docker/derived-keys.ts';
import { createInternalCa } from '../docker/internal-ca.ts';
import { portAwaited, portTaken } from '../docker/port-taken.ts';
import { mapAtOnce } from '../docker/inspections.ts';
import { StepWaits } from '../docker/step-waits.ts';

const MOST_ROUNDS = 30;
/** Of what is written to the swarm: each waits for the managers' disks. */
const AT_ONCE = 8;
const LONGEST_WAKE_MS = 60_000;
/** Tasks tell nothing of their own accord; while something is under way they are looked at. */
const LOOK_AGAIN_MS = 1_000;
const NETWORK_TRIES = 20;
const NETWORK_RETRY_MS = 250;

export interface SwarmEngineOptions {
  cluster: Cluster;
  /** A manager's. */
  docker: Docker;
  /** Marks what this installation makes. */
  installation: string;
  /** Keys the stand-ins of Secret values in records and names. */
  sealKey: string;
  images: SystemImages;
  readCredentials: ReadCredentials;
  log: Logger;
  /** Absent: the swarm is that one server. */
  connect?: Connect;
  /**
   * Servers of a cluster that is declared have its network, proxies and name servers before anything runs on them: the first
   * release waits for none of that, and what keeps a server from having them is told when it joins. Of one that is declared no
   * longer they go with the last of what ran.
   */
  declared: boolean;
}

/** All but the servers themselves. */
export interface WorkloadEngine extends Omit<Engine, 'planServers' | 'recover'> {
  /** By server: why it is without the proxy that it should have. */
  serverProblems(): ReadonlyMap<string, string>;
  /** Of what runs on servers, as of the last pass. */
  onServers(): Required<OnServers>;
}

/** The engine of what runs on a fleet of Docker servers in Swarm mode. */
export function createSwarmEngine(options: SwarmEngineOptions): WorkloadEngine {
  const { cluster, docker, installation, images, log, readCredentials, declared } = options;
  const context: SwarmContext = {
    docker,
    cluster: cluster.metadata.name,
    installation,
    images,
    log,
  };
  const { subnet, encrypted = false, endpointMode = 'dnsrr' } = cluster.spec.network ?? {};
  const rules = { place: context, seal, endpointMode, declared };
  let onServers: Required<OnServers> = { leaving: new Map(), pinned: new Map() };
  const listeners = new Set<(what: string) => void>();
  const {
    httpPort: http,
    httpsPort: https,
    headerKb,
    issuers,
    servers: edges,
  } = cluster.spec.ingress;
  const ca = createInternalCa(options.sealKey, installation);
  const { connect: connectServer } = options;
  const proxies = createServerProxies(
    context,
    { connect: connectServer, readCredentials, ca, edges, endpointMode },
    tell,
  );
  const pullReasons = createPullReasons(context, readCredentials, tell);
  const probeReasons = createProbeReasons(context, tell);
  const certificates = createCertificateStore(context, options.sealKey);
  const orders = createCertificateOrders(
    context,
    (name, text, signal) => certificates.write(name, text, signal),
    { issuers, accountKey: derivePrivateKey(options.sealKey, 'ACME account') },
    tell,
  );

  const pace = createPace(tell);

  function tell(what: string): void {
    for (const listener of listeners) listener(what);
  }

  function seal(value: string): string {
    return createHmac('sha256', options.sealKey).update(value).digest('hex');
  }

  async function look(
    network: SwarmNetwork | undefined,
    signal: AbortSignal,
  ): Promise<Observed & Pick<SeenProxies, 'retryAt'>> {
    const { retryAt, ...seen } = await proxies.observe(signal);
    const observed = await observe(
      context,
      network,
      {
        ...seen,
        ingressPorts: { http, https },
        headerKb,
        acmeOf: (records) =>
          orders.look(
            ordersOf(ingressesIn(records), { issuers }, records),
            (name, until) => certificates.read(name, until),
            signal,
          ),
        pullReasonOf: (template) => pullReasons.reasonOf(template),
        readinessOf: (tasks) => proxies.readinessOf(tasks, network?.id),
        probedOf: (tasks, nodes) =>
          probeReasons.reasonsOf(tasks, (node) => dockerOf(context, nodes, node, options.connect)),
        findMoved: (claims, nodes) =>
          findMovedClaims(context, claims, nodes, { connect: options.connect, signal }),
      },
      signal,
    );
    return { ...observed, ...(retryAt === undefined ? {} : { retryAt }) };
  }

  async function plan(desired: DesiredState, signal: AbortSignal): Promise<Plan> {
    const { world } = await look(await findNetwork(context, signal), signal);
    const [status] = decide([desired], world, Date.now(), rules).owners;
    if (status === undefined) return [];
    if (status.failure !== undefined && status.plan.length === 0 && status.resources.length === 0)
      throw new UserError('conflict', status.failure);
    return [...status.plan, ...status.held];
  }

  /** One that was made otherwise than it is declared now is made anew where nothing runs on the cluster. */
  async function readyNetwork(hasWork: boolean, signal: AbortSignal): Promise<SwarmNetwork> {
    const found = await findNetwork(context, signal);
    if (found !== undefined && found.encrypted !== encrypted) {
      const { world } = await look(found, signal);
      if (isEmpty(world)) await removeStanding(found, signal);
      // What runs on it may be deleted there.
      else if (!hasWork) return found;
    }
    return ensureNetwork(context, { subnet, encrypted }, signal);
  }

  /** The network, with the proxies and name servers on it and what ended of tasks. Throws where some of it stays. */
  async function removeStanding({ name }: SwarmNetwork, signal: AbortSignal): Promise<void> {
    const stays = await proxies.removeAll(signal);
    // It tells later passes that something is left: it goes last. Swarm lets go of what was on it some time later.
    for (let tries = 0; stays.length === 0 && tries < NETWORK_TRIES; tries += 1) {
      const why = await removeNetwork(context, signal);
      if ((await findNetwork(context, signal)) === undefined) return;
      if (tries + 1 < NETWORK_TRIES) await sleep(NETWORK_RETRY_MS, undefined, { signal });
      else
        stays.push(why === undefined ? 'Docker has it still' : await userOf(context, why, signal));
    }
    throw new UserError(
      'unavailable',
      `the network ${name} is still to be removed: ${stays.join('; ')}`,
      {
        transient: true,
      },
    );
  }

  async function reconcile(
    desired: readonly DesiredState[],
    signal: AbortSignal,
  ): Promise<Reconciliation> {
    const hasWork = desired.some(
      ({ suspended, resources }) => suspended !== true && resources.length > 0,
    );
    const network =
      hasWork || declared
        ? await readyNetwork(hasWork, signal)
        : await findNetwork(context, signal);
    const done = new Map<OwnerKey, Plan>();
    for (let round = 0; ; round += 1) {
      pace.looks();
      const observed = await look(network, signal);
      const now = Date.now();
      const known = new Set(observed.tasks.map(({ ID }) => ID));
      await proxies.removeLost(known, now, signal);
      await proxies.freeAddresses(observed.tasks, network?.id, signal);
      const decision = decide(desired, observed.world, now, rules);
      pullReasons.want(decision.pulls);
      onServers = { leaving: decision.leaving, pinned: decision.pinned };
      const alone = leftAlone(observed.world.tasks, now);
      pace.looked(alone);
      const outcome =
        round < MOST_ROUNDS
          ? await carryOutAll(decision, { observed, network, done }, signal)
          : NOTHING;
      const isOfTraffic = decision.steps.every((step) => 'node' in step);
      if (outcome.changed && !(alone !== undefined && isOfTraffic)) continue;
      if (!hasWork && network !== undefined && isEmpty(observed.world)) {
        await certificates.removeAll(signal);
        if (!declared) await removeStanding(network, signal);
      }
      checkUnowned(decision, outcome);
      const owners = decision.owners.map((status) => withOutcome(status, outcome));
      const taken = takenPorts(observed.world.proxies, desired, [http, https]);
      return {
        owners: withFailures(withWaits(owners, taken.waits), taken.failures),
        orphans: decision.orphans,
        done: [...done].map(([owner, changes]) => ({ owner, plan: changes })),
        wakeAfterMs: wakeAfter(decision, {
          retryAt: observed.retryAt,
          lookAfterMs: alone?.ms ?? LOOK_AGAIN_MS,
          now,
        }),
      };
    }
  }

  async function carryOutAll(
    { steps, owners, acting }: SwarmDecision,
    { observed, network, done }: Pass,
    signal: AbortSignal,
  ): Promise<Outcome> {
    for (const { owner, plan: changes } of owners)
      if (steps.length > 0 && changes.length > 0 && acting.has(owner) && !done.has(owner))
        done.set(owner, changes);
    const failures: StepFailure[] = [];
    const waiting: StepFailure[] = [];
    /** Servers without a proxy, which gives the name server its address. */
    const withoutProxy = new Set<string>();
    const writing = {
      observed,
      network,
      proxies,
      orders,
      readCredentials,
      connect: options.connect,
      signal,
    };
    let changed = false;

    async function doStep(step: SwarmStep): Promise<void> {
      const owned = ownersOf(step);
      // What comes later of an owner builds on what comes before.
      if (owned.some((owner) => failures.some((failure) => failure.owner === owner))) return;
      if (step.kind === 'configureDns' && withoutProxy.has(step.node)) return;
      try {
        if (await carryOut(context, step, writing)) changed = true;
      } catch (error) {
        signal.throwIfAborted();
        const message = messageOf(error);
        const waits = error instanceof StepWaits;
        if ('node' in step) {
          if (step.kind === 'configureProxy' && !hasProxy(observed.world, step.node))
            withoutProxy.add(step.node);
          // A server that dies under a release fails none: the next look is without it.
          if (!waits && !(await proxies.answers(step.node, signal))) return;
          if (proxies.setAside(step, message)) {
            changed = true;
            return;
          }
        }
        const whose = owned.length === 0 && !isOfSome(step) ? [undefined] : owned;
        (waits ? waiting : failures).push(...whose.map((owner) => ({ owner, message })));
      }
    }

    for (const stage of inLanes(steps))
      await Promise.all(
        stage.map(async (lane) => {
          for (const batch of lane) await mapAtOnce(AT_ONCE, batch, doStep);
        }),
      );
    return { changed: changed && failures.length === 0, failures, waiting };
  }

  async function exec(
    { namespace, pod }: Place,
    { command, terminal }: Start,
    signal: AbortSignal,
  ): Promise<Session> {
    const { task } = await locateTask(
      context,
      { namespace, workload: `Pod/${namespace}/${pod}` },
      signal,
    );
    const { docker: there, container } = await containerOf(context, task, options.connect, signal);
    const request = { container, command, ...(terminal === undefined ? {} : { terminal }) };
    return startInteractive(there, request, signal);
  }

  /** By `nc` in the sandbox beside the proxy: the application's own image needs nothing for it. */
  async function connect(
    target: SessionTarget,
    port: number,
    signal: AbortSignal,
  ): Promise<Session> {
    const address = target.workload.startsWith('Service/')
      ? await serviceAddress(target.workload, signal)
      : await taskAddress(target, signal);
    const container = proxies.sandboxId();
    if (container === undefined)
      throw new UserError('unavailable', "the cluster's proxy does not run yet", {
        transient: true,
      });
    return startInteractive(docker, { container, command: ['nc', address, String(port)] }, signal);
  }

  async function serviceAddress(key: string, signal: AbortSignal): Promise<string> {
    const { world } = await look(await findNetwork(context, signal), signal);
    const address = world.records.find((record) => record.key === key)?.clusterIp;
    if (address !== undefined) return address;
    throw new UserError('not-found', `there is no ${displayKey(key)} with an address`, {
      hint: '`windlass status` lists what there is; -n names another namespace',
    });
  }

  async function taskAddress(target: SessionTarget, signal: AbortSignal): Promise<string> {
    const { task, name } = await locateTask(context, target, signal);
    const network = await findNetwork(context, signal);
    const address = addressOf(task, network?.id);
    if (address !== undefined) return address;
    throw new UserError('not-found', `${name} has no address`);
  }

  return {
    plan,
    reconcile,
    async watch(onEvent, signal) {
      listeners.add(onEvent);
      try {
        await followSwarm(context, (happening) => pace.happened(happening), signal);
      } finally {
        listeners.delete(onEvent);
      }
    },
    logs: (target, logOptions, signal) => followTasks(context, target, logOptions, signal),
    find: (reference, signal) => findTask(context, reference, signal),
    running: () =>
      Promise.reject(
        new UserError('unsupported', 'the swarm engine adopts no containers', {
          hint: 'name a cluster with engine docker',
        }),
      ),
    locate: async (target, signal) => (await locateTask(context, target, signal)).place,
    exec,
    connect,
    fleet: (signal) => readFleet(context, signal),
    serverProblems: () => proxies.problems(),
    onServers: () => onServers,
    async close() {
      pace.stop();
      proxies.close();
      pullReasons.close();
      probeReasons.close();
      await orders.close();
    },
  };
}

/** Nothing is recorded or runs, of any owner. */
function isEmpty({ records, services }: SwarmWorld): boolean {
  return records.length + services.length === 0;
}

function hasProxy({ proxies }: SwarmWorld, server: string): boolean {
  return proxies.some(({ node, proxy }) => node === server && proxy !== undefined);
}

/** What keeps a cluster from being ready on which nothing is yet has nobody else to be told to. */
function checkUnowned({ owners, orphans }: SwarmDecision, { failures }: Outcome): void {
  const [failure] = failures;
  if (owners.length + orphans.length > 0 || failure === undefined) return;
  throw new UserError('unavailable', failure.message, { transient: true });
}

interface Pass {
  observed: Observed;
  network: SwarmNetwork | undefined;
  done: Map<OwnerKey, Plan>;
}

interface StepFailure {
  owner: OwnerKey | undefined;
  message: string;
}

interface Outcome {
  /** Something was done, so that the world is to be looked at again. */
  changed: boolean;
  failures: readonly StepFailure[];
  /** What waits for something that comes by itself. */
  waiting: readonly StepFailure[];
}

const NOTHING: Outcome = { changed: false, failures: [], waiting: [] };

/** Whom alone it holds up where it fails; nobody: everybody. */
function ownersOf(step: SwarmStep): OwnerKey[] {
  if ('owner' in step) return [step.owner];
  if ('owners' in step) return step.owners;
  return step.kind === 'removeFile' ? [step.file.owner] : [];
}

function isOfSome(step: SwarmStep): boolean {
  return 'owners' in step;
}

/** Whom ports are not served of that another program of a server has. */
function takenPorts(
  proxies: readonly ServerProxies[],
  desired: readonly DesiredState[],
  ingressPorts: readonly number[],
): { failures: OwnedFailure[]; waits: (OwnedFailure & { key: ResourceKey })[] } {
  const all = proxies.flatMap(({ node, taken = [] }) =>
    taken.flatMap((port) =>
      usersOfPort(desired, port, ingressPorts).map(({ owner, resource }) => ({
        owner,
        key: keyOf(resource),
        message: `server ${node}: ${waitsForPorts(resource) ? portAwaited(port) : portTaken(port)}`,
        waits: waitsForPorts(resource),
      })),
    ),
  );
  return { failures: all.filter(({ waits }) => !waits), waits: all.filter(({ waits }) => waits) };
}

function withOutcome(status: OwnerStatus, { failures, waiting }: Outcome): OwnerStatus {
  function isOf({ owner }: StepFailure): boolean {
    return owner === undefined || owner === status.owner;
  }
  const failed = failures.find(isOf);
  const waits = waiting.find(isOf);
  return {
    ...status,
    ...(waits === undefined ? {} : { serving: false, waitsFor: waits.message }),
    ...(failed === undefined ? {} : { serving: false, failure: status.failure ?? failed.message }),
  };
}

function wakeAfter(
  { owners, wakeAt = Infinity }: SwarmDecision,
  {
    retryAt = Infinity,
    lookAfterMs,
    now,
  }: { retryAt: number | undefined; lookAfterMs: number; now: number },
): number {
  const isUnderWay = owners.some(({ serving, failure }) => !serving && failure === undefined);
  const soonest = Math.min(wakeAt - now, retryAt - now, isUnderWay ? lookAfterMs : LONGEST_WAKE_MS);
  return Math.max(0, Math.min(LONGEST_WAKE_MS, soonest));
}
