import type { DesiredState, Rebalance } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { isServing } from '#core/swarm/service-status.ts';
import type { KeptService } from '#core/swarm/service-status.ts';
import type { LiveService, SwarmWorld } from '#core/swarm/world.ts';

/** Whose service is spread over the servers anew now. */
export type Turn = Rebalance & { owner: OwnerKey };

/** One at a time, whosever they are: the one that is begun, or else the first that is not done. */
export function turnOf(
  desired: readonly DesiredState[],
  { services }: Pick<SwarmWorld, 'services'>,
): Turn | undefined {
  const open = desired
    .filter(({ suspended }) => suspended !== true)
    .flatMap(({ owner, rebalance = [] }) => rebalance.map((each) => ({ ...each, owner })))
    .flatMap((turn) => {
      const live = services.find(({ key, owner }) => key === turn.resource && owner === turn.owner);
      return live === undefined || markOf(live) === done(turn) ? [] : [{ turn, live }];
    })
    .toSorted((one, other) => (one.turn.resource < other.turn.resource ? -1 : 1));
  const begun = open.find(({ turn, live }) => markOf(live) === wide(turn));
  return (begun ?? open[0])?.turn;
}

/**
 * The service as it is to be. In its turn one that serves is given so many replicas more, for which Swarm takes the servers
 * with fewest of it; once they are ready, or its deadline has passed, it has as many as before, and Swarm ends those on
 * the servers with most. A mark on the service says how far it is; without a turn it is left there and means nothing.
 */
export function spreadAnew<Kept extends KeptService>(
  spec: ServiceSpec,
  live: LiveService | undefined,
  turn: Turn | undefined,
  keep: (spec: ServiceSpec) => Kept,
): Kept {
  const mark = live === undefined ? undefined : markOf(live);
  const asItIs = keep(keepingMark(spec, live));
  if (turn === undefined || !('Replicated' in spec.Mode)) return asItIs;
  const { Replicas } = spec.Mode.Replicated;
  const more = { Replicated: { Replicas: Replicas + turn.surplus } };
  const widened = keep({ ...marked(spec, wide(turn)), Mode: more });
  if (mark !== wide(turn)) return isServing(asItIs) ? widened : asItIs;
  return isServing(widened) || isOverdue(widened) ? keep(marked(spec, done(turn))) : widened;
}

/** With how far it was spread, as the live service says. */
export function keepingMark(spec: ServiceSpec, live: LiveService | undefined): ServiceSpec {
  const mark = live === undefined ? undefined : markOf(live);
  return mark === undefined ? spec : marked(spec, mark);
}

function isOverdue({ live, workload, now }: KeptService): boolean {
  const { progressDeadlineSeconds } = workload.spec;
  return live !== undefined && now > live.updatedAt + progressDeadlineSeconds * 1_000;
}

function wide({ id }: Turn): string {
  return `${id} more`;
}

function done({ id }: Turn): string {
  return `${id} done`;
}

function marked(spec: ServiceSpec, mark: string): ServiceSpec {
  return { ...spec, Labels: { ...spec.Labels, [MARK.spread]: mark } };
}

function markOf({ spec }: LiveService): string | undefined {
  return (spec as { Labels?: Record<string, string> | null }).Labels?.[MARK.spread];
}
