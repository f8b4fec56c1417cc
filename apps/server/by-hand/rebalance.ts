import type { ByHand, Note } from '#core/by-hand/by-hand.ts';
import { UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import { displayKey } from '#core/present/display.ts';
import type { Uneven } from '#core/swarm/simulate/rebalance.ts';
import { checkNotSuspended } from './suspension.ts';
import type { WorkloadDependencies } from './workloads.ts';

/** Those of the plan that are named; all of them have to be in it. */
export function chooseUneven(plan: readonly Uneven[], services: readonly string[]): Uneven[] {
  const known = new Set(plan.map(({ service }) => service));
  const other = services.find((service) => !known.has(service));
  if (other !== undefined)
    throw new UserError('conflict', `${displayKey(other)} is spread evenly now, or is not there`, {
      hint: '`windlass rebalance` tells what is not',
    });
  return plan.filter(({ service }) => services.includes(service));
}

/** To the owner's newest release: another one is spread as it rolls. */
export async function rebalance(
  owner: OwnerKey,
  some: readonly Uneven[],
  note: Note,
  { store, releases }: Pick<WorkloadDependencies, 'store' | 'releases'>,
): Promise<(before: ByHand) => ByHand> {
  const [pipeline = '', entry = ''] = owner.split('/');
  checkNotSuspended(store, pipeline, entry);
  const head = await releases.head(pipeline, entry);
  if (head === undefined) throw new UserError('not-found', `${owner} has no release`);
  const release = head.commit;
  const wished = some.map(({ service, surplus }) => {
    return { ...note, resource: service, surplus, release };
  });
  const named = new Set(some.map(({ service }) => service));
  return ({ rebalanced: before = [], ...others }) => ({
    ...others,
    rebalanced: [
      ...before.filter((each) => each.release === release && !named.has(each.resource)),
      ...wished,
    ],
  });
}
