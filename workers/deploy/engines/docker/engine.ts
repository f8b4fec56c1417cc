import { createHmac } from 'node:crypto';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import { isRemote } from '#core/declarations/docker-address.ts';
import { decide } from '#core/docker/decide.ts';
import { postStartsOf } from '#core/docker/post-start.ts';
import type { DesiredState, Engine, OwnerStatus, Reconciliation } from '#core/engine.ts';
import { waitsForPorts } from '#core/docker/kinds-service.ts';
import { UserError } from '#core/errors.ts';
import type { SystemImages } from '#core/images.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { carryOutAll, usersOfPort, withFailures, withWaits } from './carry-out-all.ts';
import type { StepFailure } from './carry-out-all.ts';
import { createCertificateOrders } from './certificate-orders.ts';
import { connectTo } from './connect-to.ts';
import { derivePrivateKey } from './derived-keys.ts';
import { createEndings } from './endings.ts';
import type { EngineState } from './engine-state.ts';
import { createEvictions } from './evictions.ts';
import { findContainer } from './find-container.ts';
import { execIn } from './exec-in.ts';
import { followChanges } from './follow-changes.ts';
import { portAwaited, portTaken } from './port-taken.ts';
import { createFinishes } from './finishes.ts';
import { debounce } from '../debounce.ts';
import { createHooks } from './hooks.ts';
import { createImages } from './images.ts';
import { createInternalCa } from './internal-ca.ts';
import { createInspections } from './inspections.ts';
import { createLastWordFiles } from './last-word-files.ts';
import { locate } from './locate.ts';
import { ensureNetwork, findNetwork, foreseeLayout, removeNetwork } from './network.ts';
import { listOurs, observe } from './observe.ts';
import type { Observed } from './observe.ts';
import { createNotedTimes } from './noted-times.ts';
import { createProber } from './prober.ts';
import { createProblems } from './problems.ts';
import { createReadiness } from './readiness.ts';
import { createRestarts } from './restarts.ts';
import { readRunning } from './running.ts';
import { createSandboxShell } from './sandbox-shell.ts';
import { createSystemFiles } from './system-files.ts';
import { createSystemPod } from './system-pod.ts';
import { createTerminations } from './terminations.ts';
import { createUsageMeter } from './usage.ts';
import { createVolumeHashes } from './volume-hashes.ts';
import { followWorkload } from './workload-logs.ts';

const MOST_ROUNDS = 30;
const LONGEST_WAKE_MS = 60_000;
const DEBOUNCE_MS = 50;

export interface DockerEngineOptions {
  cluster: Cluster;
  docker: Docker;
  /** Marks what this installation makes. */
  installation: string;
  /** Keys the stand-ins of Secret values in records. */
  sealKey: string;
  images: SystemImages;
  readCredentials: ReadCredentials;
  log: Logger;
}

/** The engine of one Docker host. */
export function createDockerEngine(options: DockerEngineOptions): Engine {
  const { cluster, docker, installation, images, log } = options;
  const context = {
    docker,
    isRemote: cluster.spec.servers.some((server) => isRemote(server.docker)),
    cluster: cluster.metadata.name,
    installation,
    images,
    log,
  };
  const subnet = cluster.spec.network?.subnet;
  const listeners = new Set<(what: string) => void>();
  const state = createState(context, options, tell);

  function tell(what: string): void {
    for (const listener of listeners) listener(what);
  }

  function seal(value: string): string {
    return createHmac('sha256', options.sealKey).update(value).digest('hex');
  }

  async function plan(desired: DesiredState, signal: AbortSignal): Promise<Plan> {
    const [network, listing] = await Promise.all([
      findNetwork(context, signal),
      listOurs(context, signal),
    ]);
    const layout = network ?? (await foreseeLayout(context, subnet, signal));
    const { world } = await observe(state, layout, listing, signal);
    const [status] = decide([desired], world, Date.now(), seal).owners;
    if (status === undefined) return [];
    if (status.failure !== undefined && status.plan.length === 0 && status.resources.length === 0)
      throw new UserError('conflict', status.failure);
    return [...status.plan, ...status.held];
  }

  async function reconcile(
    desired: readonly DesiredState[],
    signal: AbortSignal,
  ): Promise<Reconciliation> {
    const acting = desired.filter(({ suspended }) => suspended !== true);
    const hasWork = acting.some(({ resources }) => resources.length > 0);
    const owners = new Set(acting.map(({ owner }) => owner));
    const [network, first] = await Promise.all([
      hasWork ? ensureNetwork(context, subnet, signal) : findNetwork(context, signal),
      listOurs(context, signal),
    ]);
    if (network === undefined)
      return { owners: desired.map(nothing), orphans: [], done: [], wakeAfterMs: LONGEST_WAKE_MS };
    const done = new Map<OwnerKey, Plan>();
    for (let round = 0; ; round += 1) {
      const listing = round === 0 ? first : await listOurs(context, signal);
      const observed = await observe(state, network, listing, signal);
      state.hooks.begin(postStartsOf(observed.world.pods));
      const now = Date.now();
      const decision = decide(desired, observed.world, now, seal);
      state.autoscalers = decision.autoscalers;
      for (const { owner, plan: changes } of decision.owners) {
        if (changes.length > 0 && owners.has(owner) && !done.has(owner)) done.set(owner, changes);
      }
      const { steps } = decision;
      const { changed, failures } =
        round < MOST_ROUNDS
          ? await carryOutAll(steps, { state, network, stored: observed.stored, signal })
          : { changed: false, failures: [] };
      if (changed) continue;
      const isEmpty = !hasWork && steps.length === 0 && (await removeLeftovers(observed, signal));
      if (!isEmpty) finish(observed, steps.length === 0);
      const wakeAt = Math.min(decision.wakeAt ?? Infinity, observed.taken?.retryAt ?? Infinity);
      const taken = takenPorts(observed, desired, Object.values(state.ingressPorts));
      return {
        owners: withFailures(withWaits(decision.owners, taken.waits), [
          ...failures,
          ...taken.failures,
        ]),
        orphans: decision.orphans,
        done: [...done].map(([owner, changes]) => ({ owner, plan: changes })),
        wakeAfterMs: Math.max(0, Math.min(LONGEST_WAKE_MS, wakeAt - now)),
      };
    }
  }

  /** What a pass that ended well leaves to be done beside the passes. */
  function finish({ world, strays }: Observed, isSettled: boolean): void {
    for (const pod of world.pods) {
      if (pod.deletingSince !== undefined)
        state.terminations.begin(pod, pod.graceSeconds, pod.deletingSince);
    }
    if (!isSettled) return;
    for (const stray of strays) state.terminations.begin(stray, 0, 0);
  }

  /** With the last resource gone, the cluster's own containers and its network go too. */
  async function removeLeftovers(
    { world, strays }: Observed,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (world.records.length + world.pods.length + strays.length > 0) return false;
    state.shell.use(undefined);
    state.prober.setTargets([]);
    await state.system.removeAll(signal);
    await removeNetwork(context, signal);
    return true;
  }

  async function watch(onEvent: (what: string) => void, signal: AbortSignal): Promise<void> {
    // Docker tells each change in several events; what this worker itself finds out comes one at a time.
    const debounced = debounce(onEvent, DEBOUNCE_MS);
    listeners.add(onEvent);
    try {
      await followChanges(state, debounced.ring, signal);
    } finally {
      listeners.delete(onEvent);
      debounced.stop();
    }
  }

  return {
    plan,
    reconcile,
    watch,
    logs: (target, logOptions, signal) => followWorkload(context, target, logOptions, signal),
    find: (reference, signal) => findContainer(context, reference, signal),
    running: (wanted, signal) => readRunning(context, wanted, signal),
    locate: (target, signal) => locate(context, target, signal),
    exec: (place, start, signal) => execIn(context, place, start, signal),
    connect: (target, port, signal) => connectTo(context, target, port, signal),
    fleet: oneServer,
    planServers: oneServer,
    recover: oneServer,
    async close() {
      state.prober.close();
      state.shell.close();
      state.images.close();
      await Promise.all([
        state.finishes.close(),
        state.terminations.close(),
        state.restarts.close(),
        state.hooks.close(),
        state.evictions.close(),
        state.usage.close(),
        state.certificateOrders.close(),
      ]);
    },
  };
}

function createState(
  context: EngineState['context'],
  { cluster, installation, sealKey, readCredentials }: DockerEngineOptions,
  onChange: (what: string) => void,
): EngineState {
  const { httpPort: http, httpsPort: https, headerKb, issuers } = cluster.spec.ingress;
  const ca = createInternalCa(sealKey, installation);
  const images = createImages(context, readCredentials, onChange);
  const shell = createSandboxShell(context);
  const prober = createProber(context, shell, onChange);
  const files = createSystemFiles(context, shell);
  const lastWordFiles = createLastWordFiles(context, shell);
  const endings = createEndings(context, lastWordFiles);
  const hooks = createHooks(context, shell, onChange);
  const times = createNotedTimes(Date.now);
  let servedOnce: Set<string> | undefined;
  return {
    context,
    times,
    ingressPorts: { http, https },
    headerKb,
    inspections: createInspections(context),
    volumeHashes: createVolumeHashes(context),
    images,
    problems: createProblems(images),
    evictions: createEvictions(context, onChange),
    usage: createUsageMeter(context, onChange),
    autoscalers: {},
    shell,
    files,
    prober,
    readiness: createReadiness(),
    system: createSystemPod(context, shell, ca, {
      async canConnect(address, port) {
        const connects = { address, action: { kind: 'tcp', port }, timeoutSeconds: 1 } as const;
        return (await shell.probe(connects))?.ok;
      },
      bring: images.bringOwn,
    }),
    certificateOrders: createCertificateOrders(
      context,
      async (name, text, signal) => {
        const sandboxId = shell.sandboxId();
        if (sandboxId === undefined) throw new Error("the proxy's sandbox does not run");
        await files.write(sandboxId, 'edge', { [name]: text }, signal);
      },
      { issuers, accountKey: derivePrivateKey(sealKey, 'ACME account') },
      onChange,
    ),
    endings,
    lastWordFiles,
    hooks,
    finishes: createFinishes(context, hooks, onChange),
    terminations: createTerminations(context, { hooks, lastWordFiles }, onChange),
    restarts: createRestarts(context, endings, hooks, times, onChange),
    async served(read) {
      if (servedOnce !== undefined) return new Set();
      servedOnce = await read();
      return servedOnce;
    },
  };
}

function takenPorts(
  { taken }: Observed,
  desired: readonly DesiredState[],
  ingressPorts: readonly number[],
): { failures: StepFailure[]; waits: (StepFailure & { key: ResourceKey })[] } {
  const all = (taken?.ports ?? []).flatMap((port) =>
    usersOfPort(desired, port, ingressPorts).map(({ owner, resource }) => ({
      owner,
      key: keyOf(resource),
      message: waitsForPorts(resource) ? portAwaited(port) : portTaken(port),
      waits: waitsForPorts(resource),
    })),
  );
  return { failures: all.filter(({ waits }) => !waits), waits: all.filter(({ waits }) => waits) };
}

function nothing({ owner, release }: DesiredState): OwnerStatus {
  return { owner, release, plan: [], held: [], resources: [], serving: true };
}

function oneServer(): Promise<never> {
  return Promise.reject(
    new UserError('unsupported', 'engine docker has one server: all runs there', {
      hint: 'name a cluster with engine swarm',
    }),
  );
}
