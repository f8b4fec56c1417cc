import type { EngineName } from '#core/accept.ts';
import { UserError } from '#core/errors.ts';
import type { SharedState } from '#core/ports.ts';

/**
 * The engine of a declared cluster.
 *
 * @throws UserError `not-found`, transient: what is declared may be on its way here
 */
export async function readEngine(
  shared: Pick<SharedState, 'declarations'>,
  cluster: string,
): Promise<EngineName> {
  const { clusters, retired } = await shared.declarations();
  const found = clusters[cluster] ?? retired[cluster];
  if (found !== undefined) return found.spec.engine;
  throw new UserError('not-found', `the cluster ${cluster} is not declared`, { transient: true });
}
