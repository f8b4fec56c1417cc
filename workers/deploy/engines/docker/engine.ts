import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { followEvents } from '#adapters/docker/events.ts';
import type { Cluster } from '#core/declarations/cluster.ts';
import { decide } from '#core/docker/decide.ts';
import type { Step } from '#core/docker/world.ts';
import type { DesiredState, Engine, OwnerStatus, Reconciliation } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { SystemImages } from '#core/images.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import { carryOut } from './carry-out.ts';
import type { StepContext } from './carry-out.ts';
import { createEndings } from './endings.ts';
import type { EngineState } from './engine-state.ts';
import { createImages } from './images.ts';
import { createInspections, mapAtOnce } from './inspections.ts';
import { LABEL } from './marks.ts';
import { ensureNetwork, findNetwork, foreseeLayout } from './network.ts';
import { observe } from './observe.ts';
import type { Observed } from './observe.ts';
import { createProber } from './prober.ts';
import { createProblems } from './problems.ts';
import { createSystemPod } from './system-pod.ts';
import { createTerminations } from './terminations.ts';
import { createVolumeHashes } from './volume-hashes.ts';
import { followWorkload } from './workload-logs.ts';

const MOST_ROUNDS = 30;
const PODS_AT_ONCE = 4;
const LONGEST_WAKE_MS = 60_000;
const DEBOUNCE_MS = 50;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;
/** Steps of pods stand beside each other; every other one waits for those before it. */
const POD_STEPS = new Set<Step['kind']>(['createPod', 'repairPod', 'writeVolume']);
const EVENTS = [
  'start',
  'die',
  'stop',
  'kill',
  'destroy',
  'update',
  'rename',
  'pause',
  'unpause',
  'oom',
  'disconnect',
  'connect',
  'remove',
];

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
  const context = { docker, cluster: cluster.metadata.name, installation, images, log };
  const subnet = cluster.spec.network?.subnet;
  const listeners = new Set<(what: string) => void>();
  const state = createState(context, options.readCredentials, tell);

  function tell(what: string): void {
    for (const listener of listeners) listener(what);
  }

  function seal(value: string): string {
    return createHmac('sha256', options.sealKey).update(value).digest('hex');
  }

  async function plan(desired: DesiredState, signal: AbortSignal): Promise<Plan> {
    const network = await findNetwork(context, signal);
    const { world } = await observe(
      state,
      network ?? (await foreseeLayout(context, subnet, signal)),
      signal,
    );
    const [status] = decide([desired], world, Date.now(), seal).owners;
    if (status === undefined) return [];
    if (status.failure !== undefined && status.plan.length === 0 && status.resources.length === 0)
      throw new UserError('conflict', status.failure);
    return status.plan;
  }

  async function reconcile(
    desired: readonly DesiredState[],
    signal: AbortSignal,
  ): Promise<Reconciliation> {
    const hasWork = desired.some(({ resources }) => resources.length > 0);
    const network = hasWork
      ? await ensureNetwork(context, subnet, signal)
      : await findNetwork(context, signal);
    if (network === undefined)
      return { owners: desired.map(nothing), done: [], wakeAfterMs: LONGEST_WAKE_MS };
    const done = new Map<OwnerKey, Plan>();
    for (let round = 0; ; round += 1) {
      const observed = await observe(state, network, signal);
      const now = Date.now();
      const decision = decide(desired, observed.world, now, seal);
      for (const { owner, plan: changes } of decision.owners) {
        if (changes.length > 0 && !done.has(owner)) done.set(owner, changes);
      }
      const changed =
        round < MOST_ROUNDS &&
        (await carryOutAll(decision.steps, { state, network, stored: observed.stored, signal }));
      if (changed) continue;
      finish(observed, decision.steps.length === 0);
      return {
        owners: decision.owners,
        done: [...done].map(([owner, changes]) => ({ owner, plan: changes })),
        wakeAfterMs: Math.max(0, Math.min(LONGEST_WAKE_MS, (decision.wakeAt ?? Infinity) - now)),
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

  async function watch(onEvent: (what: string) => void, signal: AbortSignal): Promise<void> {
    const debounced = debounce(onEvent, DEBOUNCE_MS);
    listeners.add(debounced.ring);
    try {
      await follow(debounced.ring, signal);
    } finally {
      listeners.delete(debounced.ring);
      debounced.stop();
    }
  }

  async function follow(onEvent: (what: string) => void, signal: AbortSignal): Promise<void> {
    const filters = {
      label: [`${LABEL.installation}=${installation}`, `${LABEL.cluster}=${context.cluster}`],
      event: EVENTS,
    };
    let failures = 0;
    while (!signal.aborted) {
      try {
        const events = followEvents(docker, { type: ['container'], ...filters }, connected, signal);
        for await (const { Action, Actor } of events) {
          state.inspections.forget(Actor.ID);
          onEvent(`${Action} ${Actor.Attributes['name'] ?? Actor.ID}`);
        }
      } catch (error) {
        if (!signal.aborted)
          log.warn(
            { cluster: context.cluster, reason: messageOf(error) },
            "Docker's events broke off",
          );
      }
      state.inspections.setFollowing(false);
      failures += 1;
      await sleep(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures), undefined, {
        signal,
      }).catch(() => undefined);
    }

    function connected(): void {
      failures = 0;
      state.inspections.setFollowing(true);
      onEvent('events are followed');
    }
  }

  return {
    plan,
    reconcile,
    watch,
    logs: (target, logOptions, signal) => followWorkload(context, target, logOptions, signal),
    async close() {
      state.prober.close();
      state.images.close();
      await state.terminations.close();
    },
  };
}

function createState(
  context: EngineState['context'],
  readCredentials: ReadCredentials,
  onChange: (what: string) => void,
): EngineState {
  const images = createImages(context, readCredentials, onChange);
  let servedOnce: Set<string> | undefined;
  return {
    context,
    inspections: createInspections(context),
    volumeHashes: createVolumeHashes(context),
    images,
    problems: createProblems(images),
    prober: createProber(context, onChange),
    system: createSystemPod(context),
    endings: createEndings(context),
    terminations: createTerminations(context, onChange),
    async served(read) {
      if (servedOnce !== undefined) return new Set();
      servedOnce = await read();
      return servedOnce;
    },
  };
}

/** Carries the steps out in order, those of pods side by side. Answers whether anything changed. */
async function carryOutAll(steps: readonly Step[], context: StepContext): Promise<boolean> {
  let changed = false;
  for (let index = 0; index < steps.length;) {
    context.signal.throwIfAborted();
    const end = steps.findIndex((step, at) => at >= index && !POD_STEPS.has(step.kind));
    const together =
      end === index
        ? steps.slice(index, index + 1)
        : steps.slice(index, end === -1 ? steps.length : end);
    const results = await mapAtOnce(PODS_AT_ONCE, together, (step) =>
      settled(carryOut(step, context)),
    );
    const failed = results.find((result) => result.error !== undefined);
    if (failed !== undefined) throw failed.error;
    changed ||= results.some((result) => result.changed);
    index += together.length;
  }
  return changed;
}

/** A step that fails must not cut off those beside it. */
async function settled(step: Promise<boolean>): Promise<{ changed: boolean; error?: unknown }> {
  try {
    return { changed: await step };
  } catch (error) {
    return { changed: false, error };
  }
}

function nothing({ owner, release }: DesiredState): OwnerStatus {
  return { owner, release, plan: [], resources: [], serving: true };
}

function debounce(
  call: (what: string) => void,
  ms: number,
): { ring: (what: string) => void; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    ring: (what) => {
      timer ??= setTimeout(() => {
        timer = undefined;
        call(what);
      }, ms);
    },
    stop: () => clearTimeout(timer),
  };
}
