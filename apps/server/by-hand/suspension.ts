import { UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { ByHandStore } from './store.ts';

/** @throws UserError `conflict` where somebody suspended the entry */
export function checkNotSuspended(
  store: Pick<ByHandStore, 'all'>,
  pipeline: string,
  entry: string,
): void {
  const owner = ownerKey(pipeline, entry);
  const { suspended } = store.all()[owner] ?? {};
  if (suspended === undefined) return;
  const { who, at, reason } = suspended;
  const why = reason === undefined ? '' : ` (${reason})`;
  const since = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  throw new UserError(
    'conflict',
    `${owner} is suspended by ${who} since ${since} UTC${why}; to go on: windlass resume ${pipeline} ${entry}`,
  );
}
