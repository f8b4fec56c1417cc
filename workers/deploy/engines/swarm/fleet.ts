import type Docker from 'dockerode';
import { DockerError, isPassing } from '#adapters/docker/call.ts';
import type { Engine, Reconciliation } from '#core/engine.ts';
import type { Server } from '#core/declarations/cluster-server.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { imagesIn } from '#core/render.ts';
import { declaredServers } from '#core/swarm/servers/declared-servers.ts';
import { failingAfter, leavingAfter } from '#core/swarm/servers/leaving-after.ts';
import type { Failing, PassFailure } from '#core/swarm/servers/leaving-after.ts';
import type { OnServers } from '#core/swarm/servers/seen.ts';
import type { FleetStatus } from '#core/swarm/servers/report.ts';
import { createSwarmEngine } from './engine.ts';
import type { SwarmEngineOptions, WorkloadEngine } from './engine.ts';
import { createServerKeeper } from './servers/keep-servers.ts';
import { createKernels } from './servers/kernels.ts';
import type { KeepServersOptions, ServerKeeper } from './servers/keep-servers.ts';

const NO_MANAGER = 'no manager of the swarm can be asked';

export interface FleetEngineOptions
  extends
    Omit<SwarmEngineOptions, 'docker' | 'connect' | 'declared'>,
    Pick<KeepServersOptions, 'connect'> {
  /** It is declared no longer: its servers are looked at and stay as they are. */
  retired: boolean;
}

/** The swarm engine by way of one manager, until another one is to be asked. */
interface Seat {
  manager?: Docker;
  engine?: WorkloadEngine;
  left: AbortController;
}

/**
 * The engine of the servers of a file: keeps them as declared, and what runs on them by whichever manager can be asked.
 * One without any manager tells so, and how its servers are.
 */
export function createFleetEngine({ retired, connect, ...options }: FleetEngineOptions): Engine {
  const { cluster, installation, log } = options;
  const kernels =
    cluster.spec.network?.encrypted === true
      ? createKernels(
          { cluster: cluster.metadata.name, installation },
          { image: options.images.sandbox, readCredentials: options.readCredentials, log },
        )
      : undefined;
  const keeper = keeperOf(cluster.spec.servers);
  /** As of the last pass. */
  let onServers: OnServers = { leaving: new Map(), pinned: 'unknown' };
  /** The last passes with a manager, if they failed; by a clock that nobody sets. */
  let failing: Failing | undefined;
  let seat: Seat = { left: new AbortController() };

  function keeperOf(servers: readonly Server[]): ServerKeeper {
    const declared = declaredServers(servers);
    const { readCredentials, images } = options;
    return createServerKeeper({
      cluster: cluster.metadata.name,
      installation,
      declared,
      connect,
      readCredentials,
      images,
      kernels,
      log,
    });
  }

  async function turnTo(manager: Docker | undefined): Promise<WorkloadEngine | undefined> {
    if (manager === seat.manager) return seat.engine;
    const { engine, left } = seat;
    seat = {
      left: new AbortController(),
      ...(manager === undefined
        ? {}
        : {
            manager,
            engine: createSwarmEngine({
              ...options,
              docker: manager,
              connect: (server) => keeper.clientOf(server),
              declared: !retired,
            }),
          }),
    };
    left.abort();
    await engine?.close();
    return seat.engine;
  }

  function seated(): WorkloadEngine {
    if (seat.engine !== undefined) return seat.engine;
    throw new UserError('unavailable', NO_MANAGER, {
      transient: true,
      hint: '`windlass status` tells how its servers are',
    });
  }

  async function reconcile(
    ...[desired, signal]: Parameters<Engine['reconcile']>
  ): Promise<Reconciliation> {
    const images = desired.flatMap(({ resources }) => resources.flatMap(imagesIn));
    const pass = retired
      ? await keeper.look(signal)
      : await keeper.keep({ ...onServers, images }, signal);
    const { status, done, manager, wakeAfterMs } = pass;
    const fleet = { status, done };
    const engine = await turnTo(manager);
    const nothing = { owners: [], orphans: [], done: [], wakeAfterMs, fleet };
    if (engine === undefined) {
      failing = undefined;
      return { ...nothing, unavailable: whyUnavailable(status) };
    }
    try {
      const result = await engine.reconcile(desired, signal);
      onServers = engine.onServers();
      failing = undefined;
      const seen = { status: withProblems(status, engine.serverProblems()), done };
      return { ...result, wakeAfterMs: Math.min(wakeAfterMs, result.wakeAfterMs), fleet: seen };
    } catch (error) {
      signal.throwIfAborted();
      const now = performance.now();
      const failure = failureOf(error);
      failing = failingAfter(failing, failure, now);
      const leaving = leavingAfter(failing, now);
      const { leaving: _before, ...others } = onServers;
      onServers = { ...others, ...(leaving === undefined ? {} : { leaving }) };
      // Neither how the servers are nor the steps that were taken are to be lost with it.
      log[failure === 'passing' ? 'warn' : 'error'](
        { cluster: cluster.metadata.name, err: error },
        'what runs on the fleet could not be kept',
      );
      const seen = { status: withProblems(status, engine.serverProblems()), done };
      const told = { ...nothing, fleet: seen, unavailable: messageOf(error) };
      return isHopeless(error) ? { ...told, isHopeless: true } : told;
    }
  }

  return {
    reconcile,
    async plan(desired, signal) {
      const engine = seat.engine ?? (await turnTo((await keeper.look(signal)).manager));
      return (engine ?? seated()).plan(desired, signal);
    },
    async watch(onEvent, signal) {
      while (!signal.aborted) {
        const { engine, left } = seat;
        const until = AbortSignal.any([signal, left.signal]);
        if (engine === undefined) await aborted(until);
        else await engine.watch(onEvent, until);
      }
    },
    logs: (target, logOptions, signal) => seated().logs(target, logOptions, signal),
    find: async (reference, signal) => seated().find(reference, signal),
    running: async (wanted, signal) => seated().running(wanted, signal),
    locate: async (target, signal) => seated().locate(target, signal),
    exec: async (place, start, signal) => seated().exec(place, start, signal),
    async planServers(servers, signal) {
      const other = keeperOf(servers);
      try {
        return (await other.look(signal)).status;
      } finally {
        other.close();
      }
    },
    recover: (from, how, signal) => keeper.recover(from, how, signal),
    fleet: async (signal) => seated().fleet(signal),
    connect: async (target, port, signal) => seated().connect(target, port, signal),
    async close() {
      await turnTo(undefined);
      keeper.close();
    },
  };
}

/** What the servers themselves have no trouble with. */
function withProblems(status: FleetStatus, problems: ReadonlyMap<string, string>): FleetStatus {
  const servers = status.servers.map((server) => {
    const problem = server.problem ?? problems.get(server.name);
    return problem === undefined ? server : { ...server, problem };
  });
  return { ...status, servers };
}

function whyUnavailable({ servers, problems }: FleetStatus): string {
  const [first] = [
    ...problems,
    ...servers.flatMap(({ name, problem, pending }) => {
      const why = problem ?? pending?.held;
      return why === undefined ? [] : [`server ${name}: ${why}`];
    }),
  ];
  return first ?? NO_MANAGER;
}

function failureOf(error: unknown): PassFailure {
  if (isPassing(error) || (error instanceof UserError && error.transient)) return 'passing';
  return error instanceof DockerError ? 'refused' : 'hopeless';
}

/** Only an operator ends it. */
function isHopeless(error: unknown): boolean {
  return error instanceof UserError && !error.transient;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
