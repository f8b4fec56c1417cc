import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { discoverKinds } from '#adapters/kubernetes/discovery.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import { findKind } from '#core/kubernetes/api-kind.ts';
import { accountOf } from '#core/kubernetes/accounts.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Fight } from '#core/kubernetes/fights.ts';
import type { HookTarget } from '#core/kubernetes/hooks.ts';
import type { Target } from '#core/kubernetes/target.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';
import { createInventories } from './inventories.ts';
import type { Inventories } from './inventories.ts';
import { createLiveObjects } from './live-objects.ts';
import type { LiveObjects } from './live-objects.ts';
import { createLivePods } from './live-pods.ts';
import type { LivePods } from './live-pods.ts';

const DISCOVER_AGAIN_MS = 600_000;
/** A kind that is not there is asked for again no more often. */
const MISSED_AGAIN_MS = 1_000;

/** What the engine knows from one pass to the next. Lost, it is learnt again. */
export interface EngineState {
  context: KubernetesContext;
  /** With a client that acts as the account of the owner's pipeline. */
  contextOf: (owner: OwnerKey) => KubernetesContext;
  objects: LiveObjects;
  pods: LivePods;
  inventories: Inventories;
  fights: Map<string, Fight>;
  /** What resources are as targets, by the list of them, and by what else that follows from. */
  targets: WeakMap<
    readonly Resource[],
    { from: string; kinds: unknown; targets: Target[]; hooks: HookTarget[] }
  >;
  /** The kinds that the cluster has; asked for again where one of these resources is of none. */
  kinds(resources: readonly Resource[], signal: AbortSignal): Promise<readonly ApiKind[]>;
  close(): void;
}

function clientAs(client: KubeClient, as: string): KubeClient {
  return {
    ...client,
    call: (request, signal) => client.call({ ...request, as }, signal),
    stream: (request, signal) => client.stream({ ...request, as }, signal),
  };
}

export function createEngineState(
  context: KubernetesContext,
  onNews: (what: string) => void,
): EngineState {
  const objects = createLiveObjects(context, onNews);
  const pods = createLivePods(context, onNews);
  const inventories = createInventories(context, onNews);
  let discovered: { at: number; kinds: ApiKind[] } | undefined;
  return {
    context,
    contextOf(owner) {
      const as = accountOf(context.accounts, owner);
      return as === undefined ? context : { ...context, client: clientAs(context.client, as) };
    },
    objects,
    pods,
    inventories,
    fights: new Map(),
    targets: new WeakMap(),
    async kinds(resources, signal) {
      const age = discovered === undefined ? Infinity : Date.now() - discovered.at;
      const known = discovered?.kinds ?? [];
      const isMissing = resources.some((each) => findKind(known, each) === undefined);
      if (age > DISCOVER_AGAIN_MS || (isMissing && age > MISSED_AGAIN_MS))
        discovered = { at: Date.now(), kinds: await discoverKinds(context.client, signal) };
      return discovered?.kinds ?? [];
    },
    close() {
      objects.close();
      pods.close();
      inventories.close();
    },
  };
}
