import { amount } from '#core/docker/rollout.ts';
import type { Workload } from '#core/docker/workload.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { isServing } from '#core/swarm/service-status.ts';
import type { KeptService } from '#core/swarm/service-status.ts';
import { hasEnded, isAvailable, isReady } from '#core/swarm/task-words.ts';
import type { LiveService, LiveTask, SwarmWorld } from '#core/swarm/world.ts';

/** How long a server is not emptied for what does not come up elsewhere. */
const PATIENCE_MS = 300_000;

/** A service of which all that serves is on servers that are to be emptied. */
export interface Leaving {
  /** Ids of their nodes. */
  nodes: readonly string[];
  /** Whether it is given replicas elsewhere first; else Swarm ends what there is, and makes it anew then. */
  isMoved: boolean;
}

/**
 * Swarm ends the tasks of a server that is drained at once, and makes them anew elsewhere after. So a server is paused
 * first, which takes no new tasks: what serves there alone is given as many replicas more, which come to be elsewhere; once
 * those are available the server may be drained, and with the tasks there the surplus goes. A mark on the service says how
 * many it was given. Absent where none of that is under way, or to be.
 */
export function moveFirst<Kept extends KeptService>(
  spec: ServiceSpec,
  live: LiveService | undefined,
  { nodes, isPinned }: Pick<SwarmWorld, 'nodes'> & { isPinned: boolean },
  keep: (spec: ServiceSpec) => Kept,
): (Kept & { leaving?: Leaving }) | undefined {
  const going = new Set(
    nodes.filter(({ availability }) => availability !== 'active').map(({ id }) => id),
  );
  if (live === undefined || going.size === 0 || !('Replicated' in spec.Mode)) return undefined;
  const asItIs = keep(spec);
  const { workload, now } = asItIs;
  const alive = asItIs.tasks.filter((task) => task.desired === 'running' && !hasEnded(task));
  const there = alive.filter(({ node = '' }) => going.has(node));
  if (there.length === 0) return undefined;
  const leaving = { nodes: [...new Set(there.map(({ node = '' }) => node))] };
  const isLate = now > live.updatedAt + PATIENCE_MS;
  const surplus = surplusOf(live);
  if (surplus === undefined) {
    const serving = alive.filter(isReady);
    const isAlone = serving.every(({ node = '' }) => going.has(node));
    if (!isAlone || !serving.some(({ node = '' }) => isPaused(node, nodes))) return undefined;
    if (!mayMove(workload) || isPinned)
      return { ...asItIs, leaving: { ...leaving, isMoved: false } };
    // In the midst of an update its new tasks come to be elsewhere by themselves.
    if (!isServing(asItIs)) return { ...asItIs, leaving: { ...leaving, isMoved: !isLate } };
    return { ...keep(withSurplus(spec, serving.length)), leaving: { ...leaving, isMoved: true } };
  }
  const isThere = availableElsewhere(alive, asItIs, going) >= spec.Mode.Replicated.Replicas;
  if (isThere) return keep(withSurplus(spec, surplus));
  const isGivenUp = surplus === 0 || isLate;
  const kept = keep(withSurplus(spec, isGivenUp ? 0 : surplus));
  return { ...kept, leaving: { ...leaving, isMoved: !isGivenUp } };
}

/** Whether two of its pods may be there where one is wanted. */
function mayMove({ kind, spec }: Workload): boolean {
  if (kind !== 'Deployment' || spec.strategy.type !== 'RollingUpdate') return false;
  return amount(spec.strategy.rollingUpdate.maxSurge, spec.replicas, Math.ceil) > 0;
}

function isPaused(node: string, nodes: SwarmWorld['nodes']): boolean {
  return nodes.some(({ id, availability }) => id === node && availability === 'pause');
}

function availableElsewhere(
  alive: readonly LiveTask[],
  { workload, now }: KeptService,
  going: ReadonlySet<string>,
): number {
  return alive.filter((task) => !going.has(task.node ?? '') && isAvailable(task, workload, now))
    .length;
}

function withSurplus(spec: ServiceSpec, surplus: number): ServiceSpec {
  const replicas = 'Replicated' in spec.Mode ? spec.Mode.Replicated.Replicas : 0;
  return {
    ...spec,
    Labels: { ...spec.Labels, [MARK.surplus]: String(surplus) },
    Mode: { Replicated: { Replicas: replicas + surplus } },
  };
}

function surplusOf({ spec }: LiveService): number | undefined {
  const said = (spec as { Labels?: Record<string, string> | null }).Labels?.[MARK.surplus];
  return said === undefined ? undefined : Number(said);
}
