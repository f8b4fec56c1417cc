import { RunList } from '#core/api/run.ts';
import type { RunView } from '#core/api/run.ts';
import { UserError } from '#core/errors.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';

/** The run with that id, or with the only id that begins so; `last` is the newest. Looks at the newest 500. */
export async function findRun(client: ApiClient, reference: string): Promise<RunView> {
  const { runs } = await client.get(apiPath(['runs'], { limit: '500' }), RunList);
  const found =
    reference === 'last' ? runs.slice(0, 1) : runs.filter(({ id }) => id.startsWith(reference));
  const exact = found.find(({ id }) => id === reference);
  const [only, ...others] = exact === undefined ? found : [exact];
  if (runs.length === 0) {
    throw new UserError('not-found', 'there are no runs yet', { hint: 'push to begin one' });
  }
  if (only === undefined) {
    throw new UserError('not-found', `there is no run ${reference}`, {
      hint: 'the newest are listed by `windlass runs`',
    });
  }
  if (others.length === 0) return only;
  const ids = found.slice(0, 5).map(({ id }) => id);
  throw new UserError('invalid-input', `${reference} is the beginning of several runs' ids`, {
    hint: `type more of it: ${ids.join(', ')}${found.length > ids.length ? ', …' : ''}`,
  });
}
