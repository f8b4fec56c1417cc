import type { DesiredState, Rebalance, ResourceStatus } from '#core/engine.ts';
import type { OwnerKey } from '#core/owner.ts';
import { MARK } from '#core/swarm/marks.ts';
import type { ServiceSpec } from '#core/swarm/service.ts';
import { isServing } from '#core/swarm/service-status.ts';
import type { KeptService } from '#core/swarm/service-status.ts';
import type { LiveService } from '#core/swarm/world.ts';

/** Whose service is spread over the servers anew now. */
export type Turn = Rebalance & { owner: OwnerKey };

/** A service as it is without a turn. `waits`: others come first; `leaving`: it is about to be elsewhere. */
type AtRest = KeptService & { waits: boolean; leaving?: object };

/**
 * One at a time, whosever they are: the one that is begun, or else the first that is not done and may begin. Those that may
 * not hold nobody up: their turn stays open until its time is over.
 */
export function turnOf(
  desired: readonly DesiredState[],
  atRest: (turn: Turn) => AtRest | undefined,
  now: number,
): Turn | undefined {
  const open = desired
    .filter(({ suspended }) => suspended !== true)
    .flatMap(({ owner, rebalance = [] }) => rebalance.map((each) => ({ ...each, owner })))
    .flatMap((turn) => {
      const kept = atRest(turn);
      if (kept?.live === undefined) return [];
      const mark = markOf(kept.live);
      return mark === done(turn) ? [] : [{ turn, kept, mark }];
    })
    .toSorted((one, other) => (one.turn.resource < other.turn.resource ? -1 : 1));
  const begun = open.find(({ turn, mark }) => mark === wide(turn));
  const next = open.find(({ turn, kept }) => now < turn.until && mayBegin(kept));
  return (begun ?? next)?.turn;
}

/** By the rules of `spreadAnew`: what it would leave as it is has no turn. */
function mayBegin(kept: AtRest): boolean {
  const { Mode, Labels } = kept.wanted;
  const isMoved = kept.leaving !== undefined || Labels[MARK.surplus] !== undefined;
  return 'Replicated' in Mode && !isMoved && !kept.waits && isServing(kept);
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

/** With what keeps it from being spread anew, where somebody wants that. */
export function withWish(
  status: ResourceStatus,
  wish: Rebalance | undefined,
  kept: KeptService | undefined,
): ResourceStatus {
  if (wish === undefined || kept?.live === undefined) return status;
  const { summary, health } = status;
  const mark = markOf(kept.live);
  if (mark === done(wish) || mark === wide(wish)) return status;
  const isWell = health.status === 'Healthy';
  if (kept.now < wish.until)
    return isWell
      ? status
      : { ...status, summary: `${summary}; to be spread over the servers anew once it serves` };
  const why = isWell ? '' : `: ${health.reason}`;
  return {
    ...status,
    summary: `${summary}; not spread over the servers anew in time`,
    notSpread: `its turn to be spread over the servers anew did not begin in time${why}`,
  };
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

function wide({ id }: Rebalance): string {
  return `${id} more`;
}

function done({ id }: Rebalance): string {
  return `${id} done`;
}

function marked(spec: ServiceSpec, mark: string): ServiceSpec {
  return { ...spec, Labels: { ...spec.Labels, [MARK.spread]: mark } };
}

function markOf({ spec }: LiveService): string | undefined {
  return (spec as { Labels?: Record<string, string> | null }).Labels?.[MARK.spread];
}
