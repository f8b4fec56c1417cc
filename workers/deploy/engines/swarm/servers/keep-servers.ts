import type Docker from 'dockerode';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import type { Logger } from 'pino';
import type { SystemImages } from '#core/images.ts';
import { messageOf } from '#core/errors.ts';
import { decideServers, keyOf, nextStep } from '#core/swarm/servers/decide-servers.ts';
import type { Decision } from '#core/swarm/servers/decide-servers.ts';
import { REACH_LABEL, SERVER_LABEL } from '#core/swarm/servers/labels.ts';
import { consensusOf } from '#core/swarm/servers/quorum.ts';
import { planRecovery } from '#core/swarm/servers/recovery.ts';
import type { Recovery } from '#core/swarm/servers/recovery.ts';
import { reportServers } from '#core/swarm/servers/report.ts';
import type { FleetPass, FleetStatus } from '#core/swarm/servers/report.ts';
import type { DeclaredServer, OnServers, Seen } from '#core/swarm/servers/seen.ts';
import type { PendingStep } from '#core/swarm/servers/step.ts';
import { filterOurs } from '../../docker/marks.ts';
import { createAsker } from './ask-servers.ts';
import { carryOutStep, forceNewCluster } from './carry-out-step.ts';
import type { WantedImages } from './carry-out-step.ts';
import type { ServersContext } from './context.ts';
import type { Kernels } from './kernels.ts';
import { observeServers } from './observe-servers.ts';
import type { Memory } from './observe-servers.ts';

const MOST_STEPS = 50;
const WATCH_MS = 1_000;
const IDLE_MS = 30_000;
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export interface KeepServersOptions {
  cluster: string;
  installation: string;
  declared: readonly DeclaredServer[];
  /** A client of the server that is reached so. */
  connect: (reach: string) => { docker: Docker; close: () => void };
  readCredentials: ReadCredentials;
  images: SystemImages;
  /** Absent: nothing is to be encrypted. */
  kernels?: Kernels | undefined;
  log: Logger;
}

interface ServersPass extends FleetPass {
  /** Of a manager through which services can be changed; absent where there is none. */
  manager?: Docker;
  /** Look again after this many milliseconds at the latest. */
  wakeAfterMs: number;
}

/** Of a step, as it was tried last. */
interface Failure {
  server: string;
  message: string;
  delayMs: number;
  /** Milliseconds, by a clock that nobody sets. */
  retryAt: number;
}

/** Keeps the servers of one cluster as declared. One call at a time. */
export interface ServerKeeper {
  /** Writes nothing, so that nothing is in `done`. */
  look(signal: AbortSignal): Promise<ServersPass>;
  /**
   * Does what can be done now, each step by what is seen after the one before; waits for nothing. Where it is told what
   * leaves servers, those are not drained before that serves elsewhere, and none leaves that something is bound to.
   */
  keep(onServers: OnServers & WantedImages, signal: AbortSignal): Promise<ServersPass>;
  /** @throws UserError where there is nothing to recover, or not from there. `do` carries it out. */
  recover(from: string, how: 'plan' | 'do', signal: AbortSignal): Promise<Recovery>;
  /** The client of a server by its name; absent where its Docker did not answer when it was last asked. */
  clientOf(server: string): Docker | undefined;
  close(): void;
}

export function createServerKeeper(options: KeepServersOptions): ServerKeeper {
  const { cluster, installation, declared, connect, readCredentials, images, log } = options;
  const { kernels } = options;
  const connections = new Map<string, ReturnType<typeof connect>>();
  const memory: Memory = new Map();
  const asker = createAsker(client);
  const failures = new Map<string, Failure>();
  let answering: ReadonlyMap<string, Docker> = new Map();
  const context: ServersContext = {
    declared,
    mark: `${cluster}.${installation}`,
    place: { cluster, installation },
    images,
    ours: filterOurs({ cluster, installation }),
    client,
    readCredentials,
    log,
  };

  function client(reach: string): Docker {
    const known = connections.get(reach) ?? connect(reach);
    connections.set(reach, known);
    return known.docker;
  }

  function reachOfServer(name: string, seen: Seen): string | undefined {
    const node = seen.swarm?.nodes.find(({ labels }) => labels[SERVER_LABEL] === name);
    const reach = declared.find((server) => server.name === name)?.reach;
    return reach ?? node?.labels[REACH_LABEL] ?? seen.swarm?.left?.get(name);
  }

  async function observe(signal: AbortSignal): Promise<Seen> {
    const seen = await observeServers(context, { asker, memory }, signal);
    answering = new Map(
      seen.servers.flatMap(({ name, engine }) => {
        const reach = engine === undefined ? undefined : reachOfServer(name, seen);
        return reach === undefined ? [] : [[name, client(reach)]];
      }),
    );
    return seen;
  }

  function withKernels(seen: Seen): Seen {
    const servers = seen.servers.map((server) => {
      const reach = reachOfServer(server.name, seen);
      if (server.engine === undefined || reach === undefined) return server;
      return kernels?.lacksEsp(reach) === true ? { ...server, lacksEsp: true as const } : server;
    });
    return { ...seen, servers };
  }

  /** Before there is a network. What is in somebody else's swarm is left alone. */
  async function lookAtKernels(seen: Seen, signal: AbortSignal): Promise<void> {
    if (kernels === undefined) return;
    const nodes = new Set(seen.swarm?.nodes.map(({ id }) => id));
    const ours = declared.filter(({ name, state }) => {
      if (state === 'absent') return false;
      const engine = seen.servers.find((server) => server.name === name)?.engine;
      return engine?.membership === 'out' || nodes.has(engine?.nodeId ?? '');
    });
    for (const { name, reach } of declared) if (!answering.has(name)) kernels.forget(reach);
    const servers = ours.map(({ reach }) => ({ reach, docker: client(reach) }));
    await kernels.look(servers, signal);
  }

  async function keep(
    { images: wanted = [], ...onServers }: OnServers & WantedImages,
    signal: AbortSignal,
  ): Promise<ServersPass> {
    const done: ServersPass['done'] = [];
    for (let round = 0; ; round += 1) {
      const found = await observe(signal);
      if (round === 0) await lookAtKernels(found, signal);
      const seen = { ...withKernels(found), ...onServers };
      const decision = decideServers(declared, seen);
      const step = nextStep(decision, resting(decision, performance.now()));
      if (step !== undefined && round < MOST_STEPS) {
        const { kind, server, reason } = step;
        const failure = await attempt(step, { ...seen, images: wanted }, signal);
        if (failure !== undefined) noteFailure(step, `${kind}: ${failure}`, performance.now());
        else {
          failures.delete(keyOf(step));
          done.push({ server, step: kind, reason });
          log.info({ cluster, server, step: kind, reason }, 'server changed');
        }
        continue;
      }
      const pass = report(seen, decision);
      const isIdle = failures.size === 0 && step === undefined;
      return {
        ...pass,
        status: withFailures(pass.status, [...failures.values()]),
        done,
        wakeAfterMs: isIdle ? pass.wakeAfterMs : WATCH_MS,
      };
    }
  }

  /** Steps that failed are not tried again at once: a join in vain takes long, and workloads wait for it. */
  function noteFailure(step: PendingStep, message: string, now: number): void {
    const key = keyOf(step);
    const delayMs = Math.min(LONGEST_RETRY_MS, (failures.get(key)?.delayMs ?? 0) * 2 + RETRY_MS);
    failures.set(key, { server: step.server, message, delayMs, retryAt: now + delayMs });
  }

  /** What is not to be done any more is forgotten. */
  function resting({ steps }: Decision, now: number): Set<string> {
    const open = new Set(steps.map(keyOf));
    for (const key of failures.keys()) if (!open.has(key)) failures.delete(key);
    return new Set([...failures].flatMap(([key, { retryAt }]) => (retryAt > now ? [key] : [])));
  }

  function report(seen: Seen, decision: Decision): ServersPass {
    const manager = managerOf(seen);
    const { waiting, problems } = decision;
    return {
      status: reportServers(declared, seen, decision),
      done: [],
      ...(manager === undefined ? {} : { manager }),
      wakeAfterMs: waiting.length + problems.filter(mayEnd).length === 0 ? IDLE_MS : WATCH_MS,
    };
  }

  /** Answers why it could not be done. */
  async function attempt(
    step: PendingStep,
    seen: Seen & WantedImages,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      await carryOutStep(step, seen, context, reachOfServer(step.server, seen), signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { cluster, server: step.server, step: step.kind, err: error },
        'a server stays as it is',
      );
      return messageOf(error);
    }
  }

  function managerOf({ swarm }: Seen): Docker | undefined {
    if (swarm === undefined || !consensusOf(swarm.nodes).hasQuorum) return undefined;
    const teller = declared.find(({ name }) => name === swarm.from);
    return teller === undefined ? undefined : client(teller.reach);
  }

  return {
    async look(signal) {
      const seen = withKernels(await observe(signal));
      return report(seen, decideServers(declared, seen));
    },
    keep,
    async recover(name, how, signal) {
      asker.forget();
      const seen = await observe(signal);
      const recovery = planRecovery(declared, seen, name);
      if (how === 'plan') return recovery;
      log.warn({ cluster, from: name }, 'the swarm goes on with one manager');
      const { from } = recovery;
      // A later time is a later generation, whether the one before can be read or not.
      await forceNewCluster(client(from.reach), from, context, Date.now(), signal);
      return recovery;
    },
    clientOf: (server) => answering.get(server),
    close() {
      asker.close();
      for (const connection of connections.values()) connection.close();
      connections.clear();
    },
  };
}

/** Whether it may be over at once, and is looked for. */
function mayEnd({ kind }: Decision['problems'][number]): boolean {
  return kind !== 'no-esp';
}

function withFailures(
  status: FleetStatus,
  failures: readonly { server: string; message: string }[],
): FleetStatus {
  return {
    ...status,
    servers: status.servers.map((server) => {
      const failure = failures.find((one) => one.server === server.name);
      return failure === undefined ? server : { ...server, problem: failure.message };
    }),
  };
}
