import { createHmac } from 'node:crypto';
import type { Logger } from 'pino';
import pMap from 'p-map';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { execInPod } from '#adapters/kubernetes/exec.ts';
import { connectToPod } from '#adapters/kubernetes/port-forward.ts';
import type { DesiredState, Engine, Orphan, OwnerStatus, Reconciliation } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import type { Accounts } from '#core/kubernetes/accounts.ts';
import { judgesOf } from '#core/kubernetes/health-rules.ts';
import type { HealthRule } from '#core/kubernetes/health-rules.ts';
import { hookChange, withHooks } from '#core/kubernetes/hook-status.ts';
import { ownerStatus, targetStatuses } from '#core/kubernetes/owner-status.ts';
import type { TargetStatus } from '#core/kubernetes/owner-status.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Plan } from '#core/plan/change.ts';
import { keyOfId } from '#core/kubernetes/api-kind.ts';
import type { ResourceKey } from '#core/resources/resource.ts';
import { act, hookStatus, withFights } from './act.ts';
import type { Acted } from './act.ts';
import { createEngineState } from './engine-state.ts';
import { shownPod } from './live-pods.ts';
import type { LivePods } from './live-pods.ts';
import { observe } from './observe.ts';
import type { ObservedOwner } from './observe.ts';
import { findPod } from './find-pod.ts';
import { locatePod, locatePort } from './pod-place.ts';
import { createQuiet } from './quiet.ts';
import { workloadLogs } from './workload-logs.ts';

const MOST_ROUNDS = 50;
const OWNERS_AT_ONCE = 4;
const LONGEST_WAKE_MS = 60_000;
/** What is under way tells of itself; this is for what was missed, and for what is tried again. */
const LOOK_AGAIN_MS = 5_000;
const DEBOUNCE_MS = 100;

export interface KubernetesEngineOptions {
  cluster: string;
  client: KubeClient;
  /** Marks what this installation makes. */
  installation: string;
  /** Keys the stand-ins of what was applied: no value of a Secret can be guessed by them. */
  sealKey: string;
  health?: readonly HealthRule[];
  accounts?: Accounts;
  log: Logger;
}

/** The engine of a cluster whose API server schedules and runs everything: it is told what is wanted, and watched. */
export function createKubernetesEngine(options: KubernetesEngineOptions): Engine {
  const { cluster, client, installation, log } = options;
  const judges = judgesOf(options.health ?? []);
  const { accounts = {} } = options;
  const quiet = createQuiet();
  const context = {
    client,
    cluster,
    installation,
    seal,
    judges,
    accounts,
    onChange: quiet.onChange,
    log,
  };
  const listeners = new Set<(what: string) => void>();
  const engine = createEngineState(context, tell);
  let news: NodeJS.Timeout | undefined;

  function seal(text: string): string {
    return createHmac('sha256', options.sealKey).update(text).digest('hex');
  }

  /** Many changes at once are one piece of news. */
  function tell(what: string): void {
    news ??= setTimeout(() => {
      news = undefined;
      for (const listener of listeners) listener(what);
    }, DEBOUNCE_MS);
  }

  async function plan(desired: DesiredState, signal: AbortSignal): Promise<Plan> {
    const [observed] = await observe(engine, [desired], signal);
    if (observed === undefined) return [];
    const { failure, held, deletions } = observed.plan;
    if (failure !== undefined) throw new UserError('conflict', failure);
    if (observed.unseen !== undefined) throw observed.unseen;
    const changes = [
      ...withFights(engine, observed, Date.now()),
      ...deletions.map(({ change }) => change),
    ];
    // They run with every release: of one that changes nothing they are not worth telling.
    const hooks = changes.length === 0 ? [] : observed.hooks.map(hookChange);
    return [...hooks, ...changes, ...held];
  }

  function statusesOf({ targets, entries }: ObservedOwner, pods: PodsByKeeper): TargetStatus[] {
    return targetStatuses({ targets, entries, live: (id) => engine.objects.get(id), pods });
  }

  async function reconcile(
    desired: readonly DesiredState[],
    signal: AbortSignal,
  ): Promise<Reconciliation> {
    const last = quiet.last(desired, Date.now());
    if (last !== undefined) return last;
    const begun = quiet.revision();
    const done = new Map<OwnerKey, Plan>();
    for (let round = 1; ; round += 1) {
      const observed = await observe(engine, desired, signal);
      const kinds = await engine.kinds([], signal);
      // What fails now is told once: why has to be known by then.
      await engine.pods.learn(keepersIn(observed), signal);
      const pods = engine.pods.byKeeper();
      const acted = await pMap(
        observed,
        async (each): Promise<Acted> => {
          const changes = changesOf(each);
          const result = await act(engine, each, statusesOf(each, pods), kinds, signal);
          const made = result.hooks?.make.map(hookChange) ?? [];
          const before = done.get(each.state.owner);
          const told = before === undefined ? [...made, ...changes] : [...before, ...made];
          if (result.changed && told.length > 0) done.set(each.state.owner, told);
          return result;
        },
        { concurrency: OWNERS_AT_ONCE, signal },
      );
      if (acted.some(({ again }) => again) && round < MOST_ROUNDS) continue;
      await engine.pods.learn(keepersIn(observed), signal);
      const podsNow = engine.pods.byKeeper();
      const owners = observed.map((each, index) => statusOf(each, podsNow, acted[index]));
      const found = {
        owners,
        orphans: orphans(desired),
        done: [...done].map(([owner, changes]) => ({ owner, plan: changes })),
        wakeAfterMs: wakeAfter(owners, acted),
      };
      quiet.keep(desired, found, begun, Date.now());
      return found;
    }
  }

  function statusOf(
    observed: ObservedOwner,
    pods: PodsByKeeper,
    acted: Acted | undefined,
  ): OwnerStatus {
    const status = ownerStatus(
      observed.state,
      observed.plan,
      statusesOf(observed, pods),
      shownPod,
      acted?.problem,
    );
    const fought = withFights(engine, observed, Date.now());
    const shown = { ...status, plan: [...fought, ...status.plan.slice(fought.length)] };
    if (acted?.hooks === undefined) return shown;
    return withHooks(shown, acted.hooks, (hook) => hookStatus(engine, hook, pods), shownPod);
  }

  function orphans(desired: readonly DesiredState[]): Orphan[] {
    const asked = new Set(desired.map(({ owner }) => owner));
    const pods = engine.pods.byKeeper();
    return engine.inventories
      .all()
      .filter(({ owner }) => !asked.has(owner))
      .map(({ owner, entries }) => {
        const resources = Object.keys(entries).map(keyOfId).toSorted();
        const count = resources.reduce((sum, key) => sum + (pods.get(key)?.length ?? 0), 0);
        return { owner, resources, pods: count };
      })
      .toSorted((one, other) => (one.owner < other.owner ? -1 : 1));
  }

  function ownerOf(key: ResourceKey): OwnerKey | undefined {
    return engine.inventories
      .all()
      .find(({ entries }) => Object.keys(entries).some((id) => keyOfId(id) === key))?.owner;
  }

  return {
    plan,
    reconcile,
    async watch(onEvent, signal) {
      listeners.add(onEvent);
      await new Promise<void>((ended) => {
        if (signal.aborted) ended();
        else signal.addEventListener('abort', () => ended(), { once: true });
      });
      listeners.delete(onEvent);
    },
    logs: (target, logOptions, signal) => workloadLogs(context, target, logOptions, signal),
    async find(reference, signal) {
      await engine.inventories.ready(signal);
      return findPod(context, engine.inventories.all(), reference, signal);
    },
    running: () =>
      Promise.reject(
        new UserError('unsupported', 'the kubernetes engine adopts no containers', {
          hint: 'name a cluster with engine docker',
        }),
      ),
    locate: (target, signal) => locatePod(context, target, ownerOf, signal),
    exec: ({ namespace, pod, container }, start, signal) =>
      execInPod(client, { namespace, pod, container }, start, signal),
    async connect(target, port, signal) {
      const place = await locatePort(context, target, port, ownerOf, signal);
      return connectToPod(client, place, place.port, signal);
    },
    fleet: nodesAreItsOwn,
    planServers: nodesAreItsOwn,
    recover: nodesAreItsOwn,
    close() {
      clearTimeout(news);
      engine.close();
      client.close();
      return Promise.resolve();
    },
  };
}

type PodsByKeeper = ReturnType<LivePods['byKeeper']>;

function nodesAreItsOwn(): Promise<never> {
  return Promise.reject(
    new UserError('unsupported', 'the servers of a Kubernetes cluster are its own', {
      hint: 'kubectl drain and kubectl describe nodes tell of them',
    }),
  );
}

function keepersIn(observed: readonly ObservedOwner[]): Set<ResourceKey> {
  return new Set(
    observed.flatMap(({ targets, hooks }) => [...targets, ...hooks].map(({ key }) => key)),
  );
}

function changesOf({ plan }: ObservedOwner): Plan {
  return [...plan.changes, ...plan.deletions].map(({ change }) => change);
}

function wakeAfter(owners: readonly OwnerStatus[], acted: readonly Acted[]): number {
  const isUnderWay = owners.some(({ serving, failure }) => !serving && failure === undefined);
  const now = Date.now();
  const wakes = acted.flatMap(({ wakeAt }) => wakeAt ?? []).map((at) => Math.max(0, at - now));
  return Math.min(isUnderWay ? LOOK_AGAIN_MS : LONGEST_WAKE_MS, ...wakes);
}
